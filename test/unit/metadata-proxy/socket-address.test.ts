import assert from "node:assert/strict";
import { endianness } from "node:os";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parsePeer, parseProcAddress, socketAddress } from "../../../src/metadata-proxy/socket-address.ts";
import { formatAddress } from "../../../src/model/addresses.ts";

describe("socket addresses", () => {
  test("are what the kernel reads", { skip: endianness() === "LE" ? false : "written for this byte order" }, () => {
    assert.equal(socketAddress("169.254.169.254", 80, 0).toString("hex"), "02000050a9fea9fe0000000000000000");
    assert.equal(
      socketAddress("fe80::a9fe:a9fe", 80, 7).toString("hex"),
      "0a00005000000000fe8000000000000000000000a9fea9fe07000000",
    );
  });

  test("come back as they went", () => {
    const address = fc.oneof(
      fc.bigInt(0n, 2n ** 32n - 1n).map((value) => formatAddress({ version: 4, value })),
      fc.bigInt(0n, 2n ** 128n - 1n).map((value) => formatAddress({ version: 6, value })),
    );
    fc.assert(
      fc.property(address, fc.nat(65535), fc.nat(), (text, port, scope) => {
        assert.equal(parsePeer(socketAddress(text, port, scope)), text);
      }),
    );
  });

  test("of another family are nobody's", () => assert.equal(parsePeer(Buffer.alloc(28)), undefined));

  test("of /proc/net/tcp6 are read word by word", {
    skip: endianness() === "LE" ? false : "written for this byte order",
  }, () => {
    assert.equal(parseProcAddress("000080FE000000000000000009000000"), "fe80::9");
    assert.equal(parseProcAddress("not hex"), undefined);
  });
});
