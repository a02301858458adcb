import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tombstoneOf } from "../../../../src/drivers/dnsmasq/host-line.ts";
import { isLeaseKept, ownersOf } from "../../../../src/drivers/dnsmasq/lease-owners.ts";
import { buildRelease4, buildRelease6 } from "../../../../src/drivers/dnsmasq/release.ts";
import { parseLeaseLine, type DnsmasqLease } from "../../../../src/linux/dnsmasq-leases.ts";

function lease(text: string): DnsmasqLease {
  const parsed = parseLeaseLine(text);
  if (parsed === undefined) throw new Error(`no lease: ${text}`);
  return parsed;
}

const one = "fa:16:3e:00:00:01";
const other = "fa:16:3e:00:00:02";
const owners = ownersOf([`${one},h5.x,10.0.0.5`, `${one},tag:dhcpv6,h5.x,[2001:db8::5],[2001:db8::6],set:port-x`]);

describe("host lines", () => {
  test("DA-164: are read back with client-id, tags, sets and several IPv6 addresses", () => {
    const lines = [
      `${one},set:port-1`,
      `${one},id:01:02,h5.example,10.0.0.5,set:port-1`,
      `${other},tag:dhcpv6,id:00:03,h6.example,[2001:db8::5],[2001:db8::6],set:port-2`,
    ];

    assert.deepEqual(
      [...ownersOf(lines)],
      [
        ["10.0.0.5", one],
        ["2001:db8::5", other],
        ["2001:db8::6", other],
      ],
    );
    assert.deepEqual(lines.map(tombstoneOf), [
      `${one},ignore`,
      `${one},id:01:02,ignore`,
      `${other},tag:dhcpv6,id:00:03,ignore`,
    ]);
  });
});

describe("a lease", () => {
  const kept = (text: string, moved: readonly string[] = []): boolean => isLeaseKept(lease(text), owners, new Set(moved));

  test("DA-158: stays with the owner of its address, whatever client-id the client sent", () => {
    assert.equal(kept(`100 ${one} 10.0.0.5 * *`), true);
    assert.equal(kept(`100 ${one} 10.0.0.5 h5 ff:00:01`), true);
  });

  test("DA-159: of another client, or of an address that nobody has, goes, though only the lease file knows it", () => {
    assert.equal(kept(`100 ${other} 10.0.0.5 * *`), false);
    assert.equal(kept(`100 ${one} 10.0.0.7 * *`), false);
  });

  test("of DHCPv6 stays unless its address went or has another MAC", () => {
    assert.equal(kept("100 12345 2001:db8::6 h5 00:01"), true);
    assert.equal(kept("100 12345 2001:db8::7 h5 00:01"), false);
    assert.equal(kept("100 12345 2001:db8::6 h5 00:01", ["2001:db8::6"]), false);
  });
});

describe("a DHCPRELEASE", () => {
  test("carries address, MAC, server and client-id where RFC 2131 puts them", () => {
    const packet = buildRelease4(lease(`100 ${one} 10.0.0.5 h ff:00:01`), "10.0.0.2", 7);

    assert.equal(packet.subarray(0, 8).toString("hex"), "0101060000000007");
    assert.equal(packet.subarray(12, 16).join("."), "10.0.0.5");
    assert.equal(packet.subarray(28, 34).toString("hex"), "fa163e000001");
    assert.equal(packet.subarray(236).toString("hex"), "63825363" + "350107" + "36040a000002" + "3d03ff0001" + "ff");
  });

  test("cannot be made for DHCPv6", () => {
    assert.throws(() => buildRelease4(lease("100 12345 2001:db8::6 h5 00:01"), "10.0.0.2", 1), { code: "INVALID" });
  });
});

describe("a release of DHCPv6", () => {
  test("DA-157: carries the client's DUID and IAID and the server's DUID as the lease file has them", () => {
    const packet = buildRelease6(lease("100 305419896 [2001:db8::6] h5 00:03:00:01:fa:16:3e:00:00:01"), "00:01:aa", 0x01020304);

    assert.equal(
      packet.toString("hex"),
      ["08020304", "0001000a00030001fa163e000001", "000200030001aa", "0003002812345678", "0".repeat(16)].join("") +
        ["00050018", "20010db8000000000000000000000006", "0".repeat(16)].join(""),
    );
  });

  test("of a temporary address goes back as temporary", () => {
    const packet = buildRelease6(lease("100 T7 2001:db8:1:2:3:4:5:6 * 00:01"), "00:01", 1);

    assert.equal(
      packet.toString("hex"),
      "08000001000100020001000200020001" +
        "0004002000000007" +
        "00050018" +
        "20010db8000100020003000400050006" +
        "0".repeat(16),
    );
  });

  test("cannot be made without the client's DUID, nor for DHCPv4", () => {
    assert.throws(() => buildRelease6(lease("100 7 2001:db8::6 * *"), "00:01", 1), { code: "INVALID" });
    assert.throws(() => buildRelease6(lease(`100 ${one} 10.0.0.5 h 00:01`), "00:01", 1), { code: "INVALID" });
  });
});
