import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddresses, parseLinks } from "../../../src/linux/netlink-answer.ts";
import { addressBytes, macBytes } from "../../../src/linux/netlink-bytes.ts";
import { createPair } from "../../../src/linux/netlink-pair.ts";
import { addAddress, deleteRoute, listLinks, replaceRoute, setLink } from "../../../src/linux/netlink.ts";

describe("bytes of addresses", () => {
  for (const [text, hex] of [
    ["10.20.0.2", "0a140002"],
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["2001:db8::2", "20010db8000000000000000000000002"],
    ["fe80::a9fe:a9fe", "fe8000000000000000000000a9fea9fe"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["1::", "00010000000000000000000000000000"],
    ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
  ] as const) {
    test(text, () => assert.equal(addressBytes(text).toString("hex"), hex));
  }

  test("of a MAC, and of nothing else", () => {
    assert.equal(macBytes("fa:16:3e:00:0A:ff").toString("hex"), "fa163e000aff");
    for (const text of ["", "fa:16:3e:00:0a", "fa:16:3e:00:0a:fg", "fa163e000aff"]) {
      assert.throws(() => macBytes(text), { code: "INVALID" });
    }
  });
});

describe("a message for rtnetlink", () => {
  const u32 = (bytes: Buffer, at: number): number =>
    new Uint32Array(Uint8Array.from(bytes.subarray(at, at + 4)).buffer)[0] ?? Number.NaN;

  test("says its own length, padded to four bytes", () => {
    const messages = [
      setLink("eth0", { isUp: true, mtuBytes: 1400 }),
      addAddress({ device: "eth0", cidr: "2001:db8::2/64", isWithoutDad: true }),
      replaceRoute({ device: "eth0", destination: "0.0.0.0/0", gateway: "10.0.0.1" }),
      createPair({ tap: "tap0", device: "ns-0", namespace: "x", macAddress: "fa:16:3e:00:00:01", mtuBytes: 0 }),
    ];
    for (const { bytes } of messages) {
      assert.equal(u32(bytes, 0), bytes.length);
      assert.equal(bytes.length % 4, 0);
    }
  });

  test("leaves room for what only the namespace knows", () => {
    const route = replaceRoute({ device: "eth0", destination: "0.0.0.0/0", gateway: "10.0.0.1" });
    const pair = createPair({ tap: "t", device: "d", namespace: "x", macAddress: "fa:16:3e:00:00:01", mtuBytes: 1450 });

    assert.equal(route.indexAt?.device, "eth0");
    assert.equal(u32(route.bytes, route.indexAt?.offset ?? 0), 0);
    assert.equal(route.bytes.readUInt16LE((route.indexAt?.offset ?? 0) - 2), 4, "RTA_OIF");
    assert.equal(pair.namespaceAt?.namespace, "x");
    assert.equal(pair.bytes.readUInt16LE((pair.namespaceAt?.offset ?? 0) - 2), 28, "IFLA_NET_NS_FD");
    assert.equal(listLinks("brq0").indexAt?.device, "brq0");
  });

  test("has the words of ip(8)", () => {
    assert.equal(
      setLink("eth0", { isUp: false, macAddress: "fa:16:3e:00:00:01" }).text,
      "link set eth0 address fa:16:3e:00:00:01 down",
    );
    assert.equal(deleteRoute({ device: "eth0", destination: "::/0" }).text, "route del ::/0 dev eth0 proto static");
  });

  test("refuses names and addresses that are none", () => {
    for (const name of ["", "a b", "a\nend", "sixteen-letters-"]) assert.throws(() => setLink(name, {}), { code: "INVALID" });
    assert.throws(() => addAddress({ device: "eth0", cidr: "10.0.0.1" }), { code: "INVALID" });
  });
});

describe("an answer of rtnetlink", () => {
  test("that was cut off gives what is whole", () => {
    assert.deepEqual(parseLinks(Buffer.alloc(0)), []);
    assert.deepEqual(parseLinks(Buffer.alloc(40)), []);
    assert.deepEqual(parseAddresses(Buffer.from([200, 0, 0, 0, 20, 0, 0, 0])), []);
  });
});
