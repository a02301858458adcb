// Values in the form that D-Bus has for them on the wire: as much of it as the lease bus needs, and every length checked.
// https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling
import { NetloomError } from "../base/errors.ts";

/** Numbers of 64 bits are bigint; arrays, structures and dictionary entries are arrays; a variant is its value. */
export type DBusValue = string | number | bigint | boolean | readonly DBusValue[];

const depthLimit = 16;

const invalid = (what: string): NetloomError => new NetloomError("INVALID", `not a D-Bus message: ${what}`);

const alignments: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

/** End of the one complete type that begins at `start`. */
function typeEnd(signature: string, start: number, depth = 0): number {
  const code = signature[start] ?? "";
  if (alignments[code] === undefined || depth > depthLimit) throw invalid(`signature ${signature.slice(0, 40)}`);
  if (code === "a") return typeEnd(signature, start + 1, depth + 1);
  if (code !== "(" && code !== "{") return start + 1;
  const close = code === "(" ? ")" : "}";
  let at = start + 1;
  // A structure of nothing would let an array of them never end.
  if (signature[at] === close) throw invalid("an empty structure");
  while (signature[at] !== close) at = typeEnd(signature, at, depth + 1);
  return at + 1;
}

export class ValueReader {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;
  #at: number;

  /** @param bytes a whole message: alignment counts from its beginning */
  constructor(bytes: Buffer, isLittle: boolean, at: number) {
    this.#bytes = bytes;
    this.#isLittle = isLittle;
    this.#at = at;
  }

  /** All values of a signature. Throws INVALID for what does not fit. */
  readAll(signature: string, depth = 0): readonly DBusValue[] {
    const values: DBusValue[] = [];
    for (let at = 0; at < signature.length; ) {
      const end = typeEnd(signature, at);
      values.push(this.#read(signature.slice(at, end), depth));
      at = end;
    }
    return values;
  }

  align(alignment: number): void {
    this.#at = Math.ceil(this.#at / alignment) * alignment;
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw invalid("it is shorter than it says");
    this.#at += length;
    return at;
  }

  #number(size: 1 | 2 | 4, isSigned: boolean): number {
    const at = this.#take(size);
    const bytes = this.#bytes;
    if (isSigned) return this.#isLittle ? bytes.readIntLE(at, size) : bytes.readIntBE(at, size);
    return this.#isLittle ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  }

  #text(length: number): string {
    const at = this.#take(length + 1);
    return this.#bytes.toString("utf8", at, at + length);
  }

  #read(type: string, depth: number): DBusValue {
    if (depth > depthLimit) throw invalid("it is nested too deep");
    const code = type[0] ?? "";
    this.align(alignments[code] ?? 1);
    switch (code) {
      case "y":
        return this.#number(1, false);
      case "n":
        return this.#number(2, true);
      case "q":
        return this.#number(2, false);
      case "b":
        return this.#number(4, false) !== 0;
      case "i":
        return this.#number(4, true);
      case "u":
        return this.#number(4, false);
      case "x":
        return this.#isLittle ? this.#bytes.readBigInt64LE(this.#take(8)) : this.#bytes.readBigInt64BE(this.#take(8));
      case "t":
        return this.#isLittle ? this.#bytes.readBigUInt64LE(this.#take(8)) : this.#bytes.readBigUInt64BE(this.#take(8));
      case "d":
        return this.#isLittle ? this.#bytes.readDoubleLE(this.#take(8)) : this.#bytes.readDoubleBE(this.#take(8));
      case "s":
      case "o":
        return this.#text(this.#number(4, false));
      case "g":
        return this.#text(this.#number(1, false));
      case "v":
        return this.#variant(depth);
      case "a":
        return this.#array(type.slice(1), depth);
      default:
        return this.readAll(type.slice(1, -1), depth + 1);
    }
  }

  #variant(depth: number): DBusValue {
    const signature = this.#text(this.#number(1, false));
    if (signature === "" || typeEnd(signature, 0) !== signature.length) throw invalid("a variant of not one type");
    return this.#read(signature, depth + 1);
  }

  #array(type: string, depth: number): readonly DBusValue[] {
    const length = this.#number(4, false);
    this.align(alignments[type[0] ?? ""] ?? 1);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw invalid("an array is longer than its message");
    const values: DBusValue[] = [];
    while (this.#at < end) values.push(this.#read(type, depth + 1));
    if (this.#at !== end) throw invalid("an array ends in the middle of a value");
    return values;
  }
}

const padded = (bytes: Buffer, alignment: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes, Buffer.alloc(1)]);
};

const signature = (value: string): Buffer => Buffer.from([value.length, ...Buffer.from(value), 0]);

/** What a call may say: a text, a number (uint32), a boolean, or bytes. */
export type DBusArgument = string | number | boolean | Uint8Array;

function argumentType(value: DBusArgument): string {
  if (typeof value === "string") return "s";
  if (typeof value === "number") return "u";
  return typeof value === "boolean" ? "b" : "ay";
}

export const argumentSignature = (values: readonly DBusArgument[]): string => values.map(argumentType).join("");

/** All of them begin at a multiple of four. */
export function encodeArguments(values: readonly DBusArgument[]): Buffer {
  return values.reduce((body: Buffer, value) => Buffer.concat([padded(body, 4), encodeArgument(value)]), Buffer.alloc(0));
}

function encodeArgument(value: DBusArgument): Buffer {
  if (typeof value === "string") return text(value);
  if (value instanceof Uint8Array) return Buffer.concat([uint32(value.length), value]);
  return uint32(Number(value));
}

/** One field of a message's header: its number and its value, a variant. */
export interface HeaderField {
  readonly code: number;
  readonly type: "s" | "o" | "g";
  readonly value: string;
}

/** The header's array of fields, without its length; aligned to 8 as its place in the header is. */
export function encodeHeaderFields(fields: readonly HeaderField[]): Buffer {
  return fields.reduce((bytes, { code, type, value }) => {
    const start = Buffer.concat([padded(bytes, 8), Buffer.from([code]), signature(type)]);
    return Buffer.concat([start, type === "g" ? signature(value) : text(value)]);
  }, Buffer.alloc(0));
}
