// What may stand in a line of dnsmasq's files. Text of tenants gets there only through these checks: a line break in an
// option's value would be a line of configuration of its own.
import { isIP } from "node:net";
import { NetloomError } from "../../base/errors.ts";

const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const hostname = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);
const clientId = /^[A-Za-z0-9:._-]{1,255}$/;
const optionName = /^(?:[a-z][a-z0-9-]{0,63}|[1-9][0-9]{0,4})$/i;
const optionTag = /^[A-Za-z0-9_-]{1,64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const control = /[\u0000-\u001f\u007f\u2028\u2029]/;

function refuse(what: string, text: string): never {
  throw new NetloomError("INVALID", `${what} cannot go into a file of dnsmasq: ${JSON.stringify(text.slice(0, 80))}`);
}

function checked(what: string, isGood: boolean, text: string): string {
  return isGood ? text : refuse(what, text);
}

export const checkMac = (text: string): string => checked("MAC address", mac.test(text), text);
export const checkAddress = (text: string): string => checked("address", isIP(text) !== 0 && !text.includes("%"), text);
export const checkHostname = (text: string): string => checked("name", hostname.test(text), text);
export const checkClientId = (text: string): string => checked("client-id", clientId.test(text), text);
export const checkOptionName = (text: string): string => checked("option name", optionName.test(text), text);
export const checkOptionTag = (text: string): string => checked("option tag", optionTag.test(text), text);

/** One DHCP option holds 255 bytes. */
export const checkOptionValue = (text: string): string =>
  checked("option value", !control.test(text) && Buffer.byteLength(text) <= 255, text);

export function checkCidr(text: string): string {
  const [address = "", prefix = ""] = text.split("/");
  return checked("CIDR", isIP(address) !== 0 && /^\d{1,3}$/.test(prefix), text);
}
