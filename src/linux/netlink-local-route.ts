// rtnetlink messages for local routes: addresses that a host takes in, and answers ARP for, without having them on a device.
// Thousands of them cost the kernel far less than as many addresses.
import { endianness } from "node:os";
import { addressBytes, attribute, flag, headerBytes, message, type NetlinkMessage, number32, type } from "./netlink-bytes.ts";
import { readRoutes } from "./netlink-answer.ts";

const localTable = 255;
const localType = 2;
const staticProtocol = 4;
const scope = { host: 254, nowhere: 255 } as const;

function localRoute(kind: number, flags: number, device: string, address: string): NetlinkMessage {
  const isNew = kind === type.newRoute;
  const part = Buffer.alloc(12);
  part.set([2, 32, 0, 0, localTable, staticProtocol, isNew ? scope.host : scope.nowhere, localType]);
  const destination = attribute(1, addressBytes(address));
  return {
    bytes: message(kind, flags, [part, destination, attribute(4, number32(0))]),
    indexAt: { offset: headerBytes + part.length + destination.length + 4, device },
    text: `route ${isNew ? "replace" : "del"} local ${address} dev ${device} proto static`,
  };
}

/** IPv4. One that is there already is replaced. */
export const replaceLocalRoute = (device: string, address: string): NetlinkMessage =>
  localRoute(type.newRoute, flag.create | flag.replace, device, address);

export const deleteLocalRoute = (device: string, address: string): NetlinkMessage =>
  localRoute(type.delRoute, 0, device, address);

/** All IPv4 routes of all tables; for `parseLocalRoutes`. */
export function listAllRoutes(): NetlinkMessage {
  const part = Buffer.alloc(12);
  part[0] = 2;
  return { bytes: message(type.getRoute, flag.dump, [part]), text: "-4 route show table all" };
}

/** Single addresses in the table `local` that carry our protocol, with the index of their device; not those of the kernel. */
export function parseLocalRoutes(answer: Buffer): readonly { readonly address: string; readonly deviceIndex: number }[] {
  return readRoutes(answer).flatMap(({ body, attributes }) => {
    const isOurs = body[4] === localTable && body[7] === localType && body[5] === staticProtocol && body[1] === 32;
    const destination = attributes.get(1);
    const device = attributes.get(4);
    if (!isOurs || destination === undefined || device === undefined) return [];
    return {
      address: destination.join("."),
      deviceIndex: endianness() === "LE" ? device.readUInt32LE() : device.readUInt32BE(),
    };
  });
}
