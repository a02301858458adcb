// sockaddr_in and sockaddr_in6 as the C library reads and writes them on Linux: pure.
import { endianness } from "node:os";
import { addressKey, formatAddress, parseAddress, parseKey } from "../model/addresses.ts";

const isLittle = endianness() === "LE";

/** Room for either kind. */
export const peerLength = 28;

/** @param scope index of the device of a link-local IPv6 address */
export function socketAddress(text: string, port: number, scope: number): Buffer {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`not an address: ${JSON.stringify(text)}`);
  const octets = Buffer.from(addressKey(address), "hex");
  const buffer = Buffer.alloc(address.version === 4 ? 16 : 28);
  writeNative16(buffer, address.version === 4 ? 2 : 10);
  buffer.writeUInt16BE(port, 2);
  octets.copy(buffer, address.version === 4 ? 4 : 8);
  if (address.version === 6) writeNative32(buffer, scope);
  return buffer;
}

/** The address in canonical text, without zone. */
export function parsePeer(buffer: Buffer): string | undefined {
  const family = isLittle ? buffer.readUInt16LE(0) : buffer.readUInt16BE(0);
  if (family === 2) return formatAddress(parseKey(buffer.toString("hex", 4, 8)));
  return family === 10 ? formatAddress(parseKey(buffer.toString("hex", 8, 24))) : undefined;
}

/** An IPv6 address of /proc/net/tcp6: four 32-bit words, each in this machine's own order. */
export function parseProcAddress(hex: string): string | undefined {
  if (!/^[0-9A-F]{32}$/.test(hex)) return undefined;
  const octets = Buffer.from(hex, "hex");
  return formatAddress(parseKey((isLittle ? octets.swap32() : octets).toString("hex")));
}

function writeNative16(buffer: Buffer, value: number): void {
  if (isLittle) buffer.writeUInt16LE(value, 0);
  else buffer.writeUInt16BE(value, 0);
}

function writeNative32(buffer: Buffer, value: number): void {
  if (isLittle) buffer.writeUInt32LE(value, 24);
  else buffer.writeUInt32BE(value, 24);
}
