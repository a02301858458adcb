import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  addressKey,
  type Address,
  canonicalAddress,
  contains,
  eui64Address,
  formatAddress,
  formatCidr,
  generateMac,
  normaliseMac,
  overlap,
  parseAddress,
  parseCidr,
  parseKey,
  usableRange,
} from "../../../src/model/addresses.ts";

const ipv4 = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value): Address => ({ version: 4, value }));
const ipv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value): Address => ({ version: 6, value }));
const address = fc.oneof(ipv4, ipv6);

describe("addresses", () => {
  test("text and key both lead back to the same address", () => {
    fc.assert(
      fc.property(address, (one) => {
        assert.deepEqual(parseAddress(formatAddress(one)), one);
        assert.deepEqual(parseKey(addressKey(one)), one);
      }),
    );
  });

  test("keys of one family sort as the addresses do", () => {
    const pair = fc.oneof(fc.tuple(ipv4, ipv4), fc.tuple(ipv6, ipv6));
    fc.assert(fc.property(pair, ([a, b]) => assert.equal(addressKey(a) < addressKey(b), a.value < b.value)));
  });

  test("canonical text is that of RFC 5952", () => {
    assert.equal(canonicalAddress("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
    assert.equal(canonicalAddress("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
    assert.equal(canonicalAddress("0:0:0:0:0:0:0:0"), "::");
    assert.equal(canonicalAddress("192.0.2.7"), "192.0.2.7");
  });

  test("what is not one plain address is none", () => {
    const bad = ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/24", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4."];
    for (const text of [...bad, "fe80::1%eth0", "2001:db8::/64", "::g", ":::", "1::2::3", "0x1.2.3.4", "1", "٣.1.1.1"]) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });
});

describe("blocks", () => {
  const cidr = fc.oneof(fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })), fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })));

  test("a block holds the address that it was made of, from its first to its last", () => {
    fc.assert(
      fc.property(cidr, ([one, prefixLength]) => {
        const block = parseCidr(`${formatAddress(one)}/${prefixLength}`);
        assert.ok(block !== undefined);
        assert.ok(contains(block, one));
        assert.equal(block.last - block.first + 1n, 1n << BigInt((one.version === 4 ? 32 : 128) - prefixLength));
        assert.deepEqual(parseCidr(formatCidr(block)), block);
      }),
    );
  });

  test("a prefix that is no number of its family is refused", () => {
    for (const text of [
      "10.0.0.0",
      "10.0.0.0/",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/08",
      "10.0.0.0/8/8",
      "::/129",
      "10.0.0.0/ 8",
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });

  test("hosts may not have the network and broadcast address, except in blocks of one or two", () => {
    const usable = (text: string): string[] => {
      const block = parseCidr(text);
      assert.ok(block !== undefined);
      const { first, last } = usableRange(block);
      return [first, last].map((value) => formatAddress({ version: block.version, value }));
    };

    assert.deepEqual(usable("10.0.0.0/29"), ["10.0.0.1", "10.0.0.6"]);
    assert.deepEqual(usable("10.0.0.0/31"), ["10.0.0.0", "10.0.0.1"]);
    assert.deepEqual(usable("10.0.0.5/32"), ["10.0.0.5", "10.0.0.5"]);
    assert.deepEqual(usable("2001:db8::/126"), ["2001:db8::1", "2001:db8::3"]);
    assert.deepEqual(usable("2001:db8::/127"), ["2001:db8::", "2001:db8::1"]);
  });

  test("blocks overlap when one address is in both", () => {
    const [big, small, next] = ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"].map((text) => parseCidr(text));
    assert.ok(big && small && next);

    assert.ok(overlap(big, small) && overlap(small, big));
    assert.ok(!overlap(big, next) && !overlap(next, small));
  });
});

describe("MAC addresses", () => {
  test("every usual spelling becomes the same text", () => {
    for (const text of ["FA:16:3E:0a:0b:0c", "fa-16-3e-0a-0b-0c", "fa16.3e0a.0b0c", "fa163e0a0b0c"]) {
      assert.equal(normaliseMac(text), "fa:16:3e:0a:0b:0c");
    }
    for (const text of [
      "",
      "fa:16:3e:0a:0b",
      "fa:16:3e:0a:0b:0g",
      "fa:16-3e:0a:0b:0c",
      "fa:16:3e:0a:0b:0c:0d",
      "f:a16:3e:0a:0b:0c",
    ]) {
      assert.equal(normaliseMac(text), undefined, text);
    }
  });

  test("made ones have the known prefix and the random octets", () => {
    assert.equal(generateMac(new Uint8Array([0, 10, 255])), "fa:16:3e:00:0a:ff");
  });

  test("the interface identifier is the one that a host makes of its MAC", () => {
    const block = parseCidr("2001:db8:1:2::/64");
    assert.ok(block !== undefined);

    assert.equal(formatAddress(eui64Address(block, "fa:16:3e:12:34:56")), "2001:db8:1:2:f816:3eff:fe12:3456");
    assert.equal(formatAddress(eui64Address(block, "00:00:00:00:00:01")), "2001:db8:1:2:200:ff:fe00:1");
  });
});
