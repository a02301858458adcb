import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isLeaseKept, movedAddresses, ownersOf } from "../../../../src/drivers/dnsmasq/lease-owners.ts";
import { buildRelease } from "../../../../src/drivers/dnsmasq/release.ts";
import { parseLeaseLine, type DnsmasqLease } from "../../../../src/linux/dnsmasq-leases.ts";

function lease(text: string): DnsmasqLease {
  const parsed = parseLeaseLine(text);
  if (parsed === undefined) throw new Error(`no lease: ${text}`);
  return parsed;
}

const one = "fa:16:3e:00:00:01";
const other = "fa:16:3e:00:00:02";
const owners = ownersOf([`${one},h5.x,10.0.0.5`, `${one},tag:dhcpv6,h5.x,[2001:db8::5],[2001:db8::6],set:port-x`]);

describe("a lease", () => {
  const kept = (text: string, moved: readonly string[] = []): boolean => isLeaseKept(lease(text), owners, new Set(moved));

  test("stays with the owner of its address, whatever client-id the client sent", () => {
    assert.equal(kept(`100 ${one} 10.0.0.5 * *`), true);
    assert.equal(kept(`100 ${one} 10.0.0.5 h5 ff:00:01`), true);
  });

  test("of another client, or of an address that nobody has, goes", () => {
    assert.equal(kept(`100 ${other} 10.0.0.5 * *`), false);
    assert.equal(kept(`100 ${one} 10.0.0.7 * *`), false);
  });

  test("of DHCPv6 stays unless its address went or has another MAC", () => {
    assert.equal(kept("100 12345 2001:db8::6 h5 00:01"), true);
    assert.equal(kept("100 12345 2001:db8::7 h5 00:01"), false);
    assert.equal(kept("100 12345 2001:db8::6 h5 00:01", ["2001:db8::6"]), false);
  });

  test("addresses that have another MAC than before are the moved ones", () => {
    const before = ownersOf([`${one},a,10.0.0.5`, `${other},b,10.0.0.6`]);
    const after = ownersOf([`${other},b,10.0.0.5`, `${other},b,10.0.0.6`, `${one},c,10.0.0.7`]);

    assert.deepEqual([...movedAddresses(before, after)], ["10.0.0.5"]);
  });
});

describe("a DHCPRELEASE", () => {
  test("carries address, MAC, server and client-id where RFC 2131 puts them", () => {
    const packet = buildRelease(lease(`100 ${one} 10.0.0.5 h ff:00:01`), "10.0.0.2", 7);

    assert.equal(packet.subarray(0, 8).toString("hex"), "0101060000000007");
    assert.equal(packet.subarray(12, 16).join("."), "10.0.0.5");
    assert.equal(packet.subarray(28, 34).toString("hex"), "fa163e000001");
    assert.equal(packet.subarray(236).toString("hex"), "63825363" + "350107" + "36040a000002" + "3d03ff0001" + "ff");
  });

  test("cannot be made for DHCPv6", () => {
    assert.throws(() => buildRelease(lease("100 12345 2001:db8::6 h5 00:01"), "10.0.0.2", 1), { code: "INVALID" });
  });
});
