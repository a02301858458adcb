// Messages of D-Bus: bytes that libdbus wrote, and bytes that nobody should write.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeMessage, encodeCall, splitMessages } from "../../../src/lease-bus/dbus-message.ts";
import { ValueReader } from "../../../src/lease-bus/dbus-values.ts";

const call = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "AddMatch",
  args: ["type='signal'", "ä"],
};

const read = (signature: string, bytes: readonly number[], isLittle = true) =>
  new ValueReader(Buffer.from(bytes), isLittle, 0).readAll(signature);

describe("D-Bus messages", () => {
  test("a call is read back as it was made", () => {
    const message = decodeMessage(encodeCall(call, 7));

    assert.equal(message.kind, "call");
    assert.equal(message.serial, 7);
    assert.equal(message.path, call.path);
    assert.equal(message.interface, call.interface);
    assert.equal(message.member, call.member);
    assert.deepEqual(message.body, call.args);
  });

  test("a call with numbers, booleans and bytes is read back too", () => {
    const args = ["10.0.0.5", new Uint8Array([7, 8, 9]), new Uint8Array(), 0xffff_ffff, "x", true, 0, false] as const;

    const { body } = decodeMessage(encodeCall({ ...call, args }, 7));

    assert.deepEqual(body, ["10.0.0.5", [7, 8, 9], [], 0xffff_ffff, "x", true, 0, false]);
  });

  test("a call without arguments has no body", () => {
    const { args: _args, ...plain } = call;

    assert.deepEqual(decodeMessage(encodeCall(plain, 1)).body, []);
  });

  test("values of all types, in both orders of bytes", () => {
    assert.deepEqual(read("yb", [7, 0, 0, 0, 1, 0, 0, 0]), [7, true]);
    assert.deepEqual(read("nq", [0xff, 0xff, 0xff, 0xff]), [-1, 65_535]);
    assert.deepEqual(read("iu", [0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0]), [-2, 1]);
    assert.deepEqual(read("u", [0, 0, 1, 2], false), [258]);
    assert.deepEqual(read("xt", [...Array.from({ length: 8 }, () => 0xff), 1, 0, 0, 0, 0, 0, 0, 0]), [-1n, 1n]);
    assert.deepEqual(read("d", [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), [1]);
    assert.deepEqual(read("s", [2, 0, 0, 0, 104, 105, 0]), ["hi"]);
    assert.deepEqual(read("g", [1, 115, 0]), ["s"]);
    assert.deepEqual(read("v", [1, 121, 0, 9]), [9]);
    assert.deepEqual(read("ay", [2, 0, 0, 0, 5, 6]), [[5, 6]]);
    assert.deepEqual(read("(yy)", [1, 2]), [[1, 2]]);
    assert.deepEqual(read("a{yy}", [2, 0, 0, 0, 0, 0, 0, 0, 3, 4]), [[[3, 4]]]);
  });

  const refused: readonly (readonly [string, string, readonly number[]])[] = [
    ["a text longer than its message", "s", [255, 255, 255, 255, 65, 0]],
    ["an array longer than its message", "ay", [9, 0, 0, 0, 1]],
    ["an array that ends in the middle of a value", "au", [3, 0, 0, 0, 1, 0, 0, 0]],
    ["an array of nothing, which would never end", "a()", [1, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a type that there is not", "z", [0]],
    ["a structure that does not end", "(y", [0]],
    ["a signature nested without end", `${"a".repeat(40)}y`, [0, 0, 0, 0]],
    ["a variant of two types", "v", [2, 121, 121, 0, 1, 1]],
    ["a variant of none", "v", [0, 0]],
    ["variants within variants within variants", "v", [...Array.from({ length: 40 }, () => [1, 118, 0]).flat(), 1, 121, 0, 1]],
  ];
  for (const [what, signature, bytes] of refused) {
    test(`${what} is refused`, () => assert.throws(() => read(signature, bytes), { code: "INVALID" }));
  }

  test("messages are cut out of a stream wherever its pieces end", () => {
    const stream = Buffer.concat([1, 2, 3].map((serial) => encodeCall(call, serial)));
    for (let at = 0; at <= stream.length; at += 1) {
      const first = splitMessages(stream.subarray(0, at));
      const second = splitMessages(Buffer.concat([first.rest, stream.subarray(at)]));
      const serials = [...first.messages, ...second.messages].map((bytes) => decodeMessage(bytes).serial);
      assert.deepEqual(serials, [1, 2, 3]);
      assert.equal(second.rest.length, 0);
    }
  });

  test("a message that says to be longer than the limit is refused before anything is kept of it", () => {
    const header = encodeCall(call, 1).subarray(0, 16);
    header.writeUInt32LE(0x7fff_ffff, 4);

    assert.throws(() => splitMessages(header), { code: "INVALID" });
  });

  test("any damage is refused or read as something, and never anything else", () => {
    const whole = encodeCall(call, 1);
    for (let at = 0; at < whole.length; at += 1) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        try {
          for (const message of splitMessages(bytes).messages) decodeMessage(message);
        } catch (thrown) {
          assert.equal((thrown as { readonly code?: string }).code, "INVALID", `byte ${at} = ${value}: ${String(thrown)}`);
        }
      }
    }
  });
});
