// What may stand in a line of dnsmasq's files. Text of tenants gets there only through these checks: a line break in an
// option's value would be a line of configuration of its own.
import { isIP } from "node:net";
import { NetloomError } from "../../base/errors.ts";

const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
// dnsmasq takes no host whose first label begins with an underscore.
const hostname = new RegExp(`^(?!_)(?=.{1,253}$)${label}(?:\\.${label})*$`);
const hexBytes = /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2})+$/i;
const plainClientId = /^[A-Za-z0-9._-]{1,255}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const control = /[\u0000-\u0008\u000a-\u001f\u007f\u2028\u2029]/;

/** dnsmasq reads its files in pieces of this many bytes: what is longer would go on as a line of its own. */
const maxLineBytes = 1023;

function refuse(what: string, text: string): never {
  throw new NetloomError("INVALID", `${what} cannot go into a file of dnsmasq: ${JSON.stringify(text.slice(0, 80))}`);
}

function checked(what: string, isGood: boolean, text: string): string {
  return isGood ? text : refuse(what, text);
}

export const isHostname = (text: string): boolean => hostname.test(text);
export const isAddressOf = (ipVersion: 4 | 6, text: string): boolean => isIP(text) === ipVersion && !text.includes("%");

export const checkMac = (text: string): string => checked("MAC address", mac.test(text), text);
export const checkAddress = (text: string): string => checked("address", isIP(text) !== 0 && !text.includes("%"), text);
export const checkHostname = (text: string): string => checked("name", isHostname(text), text);

/** Whole lines, once more, whatever they are made of. A tab parts the fields of a DNS line. */
export const checkLine = (text: string): string =>
  checked("line", text !== "" && !control.test(text) && Buffer.byteLength(text) <= maxLineBytes, text);

/**
 * An identifier as a host line takes it: bytes in hex with colons as they are, plain text as it is, any other text as its
 * bytes, because commas, blanks and quotes have a meaning there.
 */
export function formatClientId(text: string): string {
  if (hexBytes.test(text)) return text.toLowerCase();
  if (plainClientId.test(text)) return text;
  const bytes = [...Buffer.from(text)].map((byte) => byte.toString(16).padStart(2, "0"));
  // One byte would have no colon and be read as text; `*` alone would match everybody.
  return checked("client-id", bytes.length > 1 && bytes.length <= 255 && !control.test(text), text) && bytes.join(":");
}

export function isNetwork4(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  return isAddressOf(4, address) && more.length === 0 && /^\d{1,2}$/.test(length) && Number(length) <= 32;
}
