import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Cidr, formatAddress, overlap, parseAddress, parseCidr, usableRange } from "../../../src/model/addresses.ts";
import {
  checkDhcpCidr,
  checkedCidr,
  checkedPools,
  checkGatewayOutsidePools,
  checkIpv6Modes,
  chooseGateway,
  defaultPools,
  poolRange,
} from "../../../src/server/ipam/subnet-rules.ts";
import { ApiFault, type FaultType } from "../../../src/types/api-faults.ts";

function block(text: string): Cidr {
  const cidr = parseCidr(text);
  assert.ok(cidr !== undefined);
  return cidr;
}

function faults(work: () => unknown, type: FaultType): void {
  assert.throws(work, (thrown) => thrown instanceof ApiFault && thrown.type === type);
}

describe("CIDRs", () => {
  test("host bits are cleared; no CIDR, the other family, everything and nothing are refused", () => {
    assert.deepEqual(checkedCidr("10.0.0.9/24", 4), block("10.0.0.0/24"));
    for (const text of ["10.0.0.0", "garbage", "10.0.0.0/0", "2001:db8::/64"])
      faults(() => checkedCidr(text, 4), "InvalidInput");
    for (const text of ["::/64", "::/0", "10.0.0.0/24"]) faults(() => checkedCidr(text, 6), "InvalidInput");
  });

  test("DHCP needs room and addresses that hosts may have", () => {
    for (const text of ["10.0.0.0/30", "10.0.0.0/8", "2001:db8::/126", "fd00::/48"]) checkDhcpCidr(block(text));
    const bad = ["10.0.0.0/31", "10.0.0.1/32", "224.0.0.0/24", "127.0.0.0/8", "0.0.0.0/8", "2001:db8::/127", "ff02::/64"];
    for (const text of bad) faults(() => checkDhcpCidr(block(text)), "InvalidInput");
  });

  const unservable: readonly [string, RegExp][] = [
    ["0.0.0.0/8", /0\.0\.0\.0\/8/],
    ["0.1.2.0/24", /0\.0\.0\.0\/8/],
    ["0.0.0.0/1", /0\.0\.0\.0\/8/],
    ["127.0.0.0/8", /loopback/],
    ["127.9.9.0/24", /loopback/],
    ["126.0.0.0/7", /loopback/],
    ["169.254.0.0/16", /metadata/],
    ["169.254.169.0/24", /metadata/],
    ["169.254.169.252/30", /metadata/],
    ["224.0.0.0/4", /multicast/],
    ["239.1.0.0/16", /multicast/],
    ["192.0.0.0/2", /multicast/],
    ["::1:0:0:0/80", /::\/8/],
    ["64:ff9b::/96", /::\/8/],
    ["ff:ffff::/32", /::\/8/],
    ["fe80::/64", /link-local/],
    ["febf:ffff::/32", /link-local/],
    ["fe00::/8", /link-local/],
    ["ff00::/8", /multicast/],
    ["ff3e::/64", /multicast/],
  ];
  for (const [text, why] of unservable) {
    test(`DHCP cannot serve ${text}`, () => {
      const cidr = checkedCidr(text, text.includes(":") ? 6 : 4);
      assert.throws(() => checkDhcpCidr(cidr), { type: "InvalidInput", message: why });
    });
  }

  test("what lies just beside can be served", () => {
    const served = ["1.0.0.0/8", "126.0.0.0/8", "128.0.0.0/8", "169.254.168.0/24", "169.254.192.0/18", "223.255.255.0/24"];
    for (const text of [...served, "100::/64", "fe7f::/64", "fec0::/64", "fc00::/7"])
      checkDhcpCidr(checkedCidr(text, text.includes(":") ? 6 : 4));
  });

  for (const text of ["::ffff:0:0/96", "::ffff:10.0.0.0/120", "::ffff:a00:0/104", "::fffe:0:0/95"]) {
    test(`${text} holds IPv4 addresses in disguise and is refused with and without DHCP`, () => {
      assert.throws(() => checkedCidr(text, 6), { type: "InvalidInput", message: /IPv4/ });
    });
  }

  test("IPv6 modes need IPv6, DHCP, each other and, for SLAAC, a /64", () => {
    const check = (text: string, raMode: "slaac" | "dhcpv6-stateful" | null, enableDhcp = true) =>
      checkIpv6Modes(block(text), { raMode, addressMode: "slaac" }, enableDhcp);

    check("2001:db8::/64", "slaac");
    check("2001:db8::/64", null);
    checkIpv6Modes(block("10.0.0.0/24"), { raMode: null, addressMode: null }, false);
    faults(() => check("10.0.0.0/24", "slaac"), "InvalidInput");
    faults(() => check("2001:db8::/64", "slaac", false), "InvalidInput");
    faults(() => check("2001:db8::/64", "dhcpv6-stateful"), "InvalidInput");
    faults(() => check("2001:db8::/65", "slaac"), "InvalidInput");
  });
});

describe("gateways", () => {
  test("unset is the first address, null is none, and one may lie outside", () => {
    assert.equal(chooseGateway(block("10.0.0.0/24"), undefined), "10.0.0.1");
    assert.equal(chooseGateway(block("2001:db8::/64"), undefined), "2001:db8::");
    assert.equal(chooseGateway(block("10.0.0.0/24"), null), null);
    assert.equal(chooseGateway(block("10.0.0.0/24"), "192.0.2.1"), "192.0.2.1");
    assert.equal(chooseGateway(block("2001:db8::/64"), "FE80:0::1"), "fe80::1");
    assert.equal(chooseGateway(block("255.255.255.255/32"), undefined), null);
  });

  test("the network and broadcast address and other families are refused", () => {
    for (const ip of ["10.0.0.0", "10.0.0.255", "2001:db8::1"])
      faults(() => chooseGateway(block("10.0.0.0/24"), ip), "InvalidInput");
    assert.equal(chooseGateway(block("10.0.0.0/31"), "10.0.0.0"), "10.0.0.0");
  });
});

describe("pools", () => {
  const pools = (text: string, gateway: string | null) =>
    defaultPools(block(text), gateway).map(({ start, end }) => `${start}-${end}`);

  test("by default they are all usable addresses around the gateway", () => {
    assert.deepEqual(pools("10.0.0.0/24", "10.0.0.1"), ["10.0.0.2-10.0.0.254"]);
    assert.deepEqual(pools("10.0.0.0/24", "10.0.0.9"), ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.254"]);
    assert.deepEqual(pools("10.0.0.0/24", null), ["10.0.0.1-10.0.0.254"]);
    assert.deepEqual(pools("10.0.0.0/24", "192.0.2.1"), ["10.0.0.1-10.0.0.254"]);
    assert.deepEqual(pools("10.0.0.0/31", "10.0.0.1"), ["10.0.0.0-10.0.0.0"]);
    assert.deepEqual(pools("10.0.0.5/32", "10.0.0.6"), ["10.0.0.5-10.0.0.5"]);
    assert.deepEqual(pools("2001:db8::/64", "2001:db8::"), ["2001:db8::1-2001:db8::ffff:ffff:ffff:ffff"]);
  });

  test("default pools hold every usable address but the gateway, and that never", () => {
    const subnet = fc.tuple(fc.integer({ min: 22, max: 30 }), fc.nat());
    fc.assert(
      fc.property(subnet, ([prefixLength, seed]) => {
        const cidr = block(`10.20.30.40/${prefixLength}`);
        const usable = usableRange(cidr);
        const size = usable.last - usable.first + 1n;
        const gateway = formatAddress({ version: 4, value: usable.first + (BigInt(seed) % size) });

        const made = defaultPools(cidr, gateway);

        checkGatewayOutsidePools(gateway, made);
        assert.deepEqual(checkedPools(cidr, made), made);
        const total = made.map(poolRange).reduce((sum, range) => sum + range.last - range.first + 1n, 0n);
        assert.equal(total, size - 1n);
      }),
    );
  });

  test("asked ones are sorted, and refused when they are wrong in themselves, outside or overlapping", () => {
    const check = (...asked: [string, string][]) =>
      checkedPools(
        block("10.0.0.0/24"),
        asked.map(([start, end]) => ({ start, end })),
      );

    assert.deepEqual(
      check(["10.0.0.100", "10.0.0.110"], ["10.0.0.2", "10.0.0.9"]).map((pool) => pool.start),
      ["10.0.0.2", "10.0.0.100"],
    );
    faults(() => check(["10.0.0.9", "10.0.0.2"]), "InvalidAllocationPool");
    faults(() => check(["2001:db8::1", "2001:db8::2"]), "InvalidAllocationPool");
    faults(() => check(["10.0.0.9", "garbage"]), "InvalidAllocationPool");
    faults(() => check(["10.0.0.0", "10.0.0.9"]), "OutOfBoundsAllocationPool");
    faults(() => check(["10.0.0.9", "10.0.0.255"]), "OutOfBoundsAllocationPool");
    faults(() => check(["10.0.0.2", "10.0.0.9"], ["10.0.0.9", "10.0.0.20"]), "OverlappingAllocationPools");
  });

  test("accepted pools never overlap, whatever was asked for", () => {
    const end = fc.integer({ min: 1, max: 254 }).map((host) => `10.0.0.${host}`);
    fc.assert(
      fc.property(fc.array(fc.record({ start: end, end }), { maxLength: 5 }), (asked) => {
        try {
          const ranges = checkedPools(block("10.0.0.0/24"), asked).map(poolRange);
          for (const [index, range] of ranges.entries()) {
            for (const other of ranges.slice(index + 1)) assert.ok(!overlap(range, other));
          }
        } catch (thrown) {
          assert.ok(thrown instanceof ApiFault);
        }
      }),
    );
  });

  test("the gateway may not be in a pool", () => {
    const asked = [{ start: "10.0.0.2", end: "10.0.0.9" }];
    for (const ip of ["10.0.0.2", "10.0.0.9"])
      faults(() => checkGatewayOutsidePools(ip, asked), "GatewayConflictWithAllocationPools");
    checkGatewayOutsidePools("10.0.0.1", asked);
    checkGatewayOutsidePools(null, asked);
    assert.ok(parseAddress("10.0.0.1"));
  });
});
