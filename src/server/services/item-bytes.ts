// How many bytes of a message an item may take, without writing it as JSON twice: a snapshot has thousands of them.
import type { StreamItem } from "../../types/agent-messages.ts";

type PortBody = Extract<StreamItem, { readonly op: "upsert"; readonly kind: "port" }>["body"];

/** JSON writes each of its characters as one byte. */
const plain = /^[ !#-[\]-~]*$/;
/** Names, punctuation, ids, MAC address and the largest numbers of a port's item, which are always there. */
const portFrameBytes = 450;
/** The same of an address, itself included. */
const addressBytes = 107;
const traceBytes = 17;
const optionBytes = 44;
/** Of a character that JSON escapes: `\u0000`. */
const mostPerUnit = 6;

/** Never less than `JSON.stringify(item)` has in UTF-8, with the comma behind it. */
export function mostBytes(item: StreamItem): number {
  if (item.op !== "upsert" || item.kind !== "port") return Buffer.byteLength(JSON.stringify(item)) + 1;
  return portBytes(item.body) + traceBytes + textBytes(item.traceparent ?? "");
}

function portBytes({ projectId = "", deviceId, deviceOwner, dnsName, bindingHost, fixedIps, extraDhcpOpts }: PortBody): number {
  const texts =
    textBytes(projectId) + textBytes(deviceId) + textBytes(deviceOwner) + textBytes(dnsName) + textBytes(bindingHost);
  const options = extraDhcpOpts.reduce((sum, one) => sum + optionBytes + textBytes(one.optName) + textBytes(one.optValue), 0);
  return portFrameBytes + texts + addressBytes * fixedIps.length + options;
}

const textBytes = (text: string): number => (plain.test(text) ? text.length : mostPerUnit * text.length);
