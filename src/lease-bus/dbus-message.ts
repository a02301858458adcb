// Messages of D-Bus: made, cut out of a stream, and read.
// https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages
import { NetloomError } from "../base/errors.ts";
import {
  argumentSignature,
  type DBusArgument,
  type DBusValue,
  encodeArguments,
  encodeHeaderFields,
  type HeaderField,
  ValueReader,
} from "./dbus-values.ts";

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly args?: readonly DBusArgument[];
}

export interface DBusMessage {
  readonly kind: "call" | "return" | "error" | "signal" | "other";
  readonly serial: number;
  readonly replySerial: number | undefined;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly errorName: string;
  readonly sender: string;
  readonly body: readonly DBusValue[];
}

/** More than any answer of a thousand networks; a peer that says more is not listened to. */
const messageLimitBytes = 4 * 1024 * 1024;

const kinds = ["other", "call", "return", "error", "signal"] as const;
const [methodCall, version] = [1, 1];

export function encodeCall(call: MethodCall, serial: number): Buffer {
  const args = call.args ?? [];
  const fields: readonly HeaderField[] = [
    { code: 1, type: "o", value: call.path },
    { code: 2, type: "s", value: call.interface },
    { code: 3, type: "s", value: call.member },
    { code: 6, type: "s", value: call.destination },
    ...(args.length === 0 ? [] : [{ code: 8, type: "g", value: argumentSignature(args) } as const]),
  ];
  const encoded = encodeHeaderFields(fields);
  const body = encodeArguments(args);
  const header = Buffer.alloc(16);
  header.set([108, methodCall, 0, version]);
  header.writeUInt32LE(body.length, 4);
  header.writeUInt32LE(serial, 8);
  header.writeUInt32LE(encoded.length, 12);
  return Buffer.concat([header, encoded, Buffer.alloc((8 - (encoded.length % 8)) % 8), body]);
}

/** Cuts whole messages out of what came so far. Throws INVALID when it is no stream of messages. */
export function splitMessages(bytes: Buffer): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let rest = bytes;
  while (rest.length >= 16) {
    const length = messageLength(rest);
    if (rest.length < length) break;
    messages.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return { messages, rest };
}

function isLittleEndian(bytes: Buffer): boolean {
  if (bytes[0] === 108) return true;
  if (bytes[0] === 66) return false;
  throw new NetloomError("INVALID", "not a D-Bus message: unknown order of bytes");
}

function messageLength(bytes: Buffer): number {
  const isLittle = isLittleEndian(bytes);
  const read = (at: number): number => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const length = Math.ceil((16 + read(12)) / 8) * 8 + read(4);
  if (length > messageLimitBytes) throw new NetloomError("INVALID", `a D-Bus message of ${length} bytes is too long`);
  return length;
}

const asText = (value: DBusValue | undefined): string => (typeof value === "string" ? value : "");

/** @param bytes one whole message. Throws INVALID when it is none. */
export function decodeMessage(bytes: Buffer): DBusMessage {
  const reader = new ValueReader(bytes, isLittleEndian(bytes), 0);
  const [, kind = 0, , , , serial = 0, fields = []] = reader.readAll("yyyyuua(yv)");
  const byCode = new Map<DBusValue | undefined, DBusValue | undefined>();
  for (const field of Array.isArray(fields) ? fields : []) if (Array.isArray(field)) byCode.set(field[0], field[1]);
  const replySerial = byCode.get(5);
  reader.align(8);
  return {
    kind: kinds[Number(kind)] ?? "other",
    serial: Number(serial),
    replySerial: typeof replySerial === "number" ? replySerial : undefined,
    path: asText(byCode.get(1)),
    interface: asText(byCode.get(2)),
    member: asText(byCode.get(3)),
    errorName: asText(byCode.get(4)),
    sender: asText(byCode.get(7)),
    body: reader.readAll(asText(byCode.get(8))),
  };
}
