// rtnetlink messages (RFC 3549, linux/rtnetlink.h) for what a device inside a namespace needs: bytes, no socket. The worker
// in namespace-worker.ts carries them into the namespace; each has the words that ip(8) would use, for errors and logs.
import { ipVersionOf, parseCidr } from "./addresses.ts";
import {
  addressBytes,
  attribute,
  deviceName,
  flag,
  headerBytes,
  linkBytes,
  linkPart,
  macBytes,
  masterAttribute,
  message,
  type NetlinkMessage,
  number32,
  type,
} from "./netlink-bytes.ts";

const addressIndexOffset = headerBytes + 4;
const hostScope = 254;

export interface LinkChange {
  readonly mtuBytes?: number | undefined;
  readonly macAddress?: string | undefined;
  readonly isUp?: boolean | undefined;
}

export function setLink(device: string, { mtuBytes, macAddress, isUp }: LinkChange): NetlinkMessage {
  const parts = [linkPart({ isUp }), deviceName(device)];
  const words = ["link", "set", device];
  if (mtuBytes !== undefined) {
    parts.push(attribute(4, number32(mtuBytes)));
    words.push("mtu", String(mtuBytes));
  }
  if (macAddress !== undefined) {
    parts.push(attribute(1, macBytes(macAddress)));
    words.push("address", macAddress);
  }
  if (isUp !== undefined) words.push(isUp ? "up" : "down");
  return { bytes: message(type.newLink, 0, parts), text: words.join(" ") };
}

export function deleteLink(device: string): NetlinkMessage {
  return { bytes: message(type.delLink, 0, [linkPart(), deviceName(device)]), text: `link del ${device}` };
}

/** Answered by one link, or by ENODEV. */
export function getLink(device: string): NetlinkMessage {
  return { bytes: message(type.getLink, 0, [linkPart(), deviceName(device)]), text: `link show ${device}` };
}

/** All devices; with a bridge's name only its members. */
export function listLinks(master?: string): NetlinkMessage {
  const parts = [linkPart(), ...(master === undefined ? [] : [attribute(masterAttribute, number32(0))])];
  const indexAt = master === undefined ? undefined : { offset: headerBytes + linkBytes + 4, device: master };
  return {
    bytes: message(type.getLink, flag.dump, parts),
    indexAt,
    text: `link show${master === undefined ? "" : ` master ${master}`}`,
  };
}

export interface AddressChange {
  readonly device: string;
  /** `address/prefix` */
  readonly cidr: string;
  /** Without duplicate address detection. */
  readonly isWithoutDad?: boolean | undefined;
  /** IPv4: of scope `host`, never chosen as a source. */
  readonly isOfHost?: boolean | undefined;
}

function addressMessage(kind: number, flags: number, { device, cidr, isWithoutDad, isOfHost }: AddressChange): NetlinkMessage {
  const { address, prefixLength, ipVersion } = parseCidr(cidr);
  const part = Buffer.alloc(8);
  part[0] = ipVersion === 4 ? 2 : 10;
  part[1] = prefixLength;
  part[2] = isWithoutDad === true ? 2 : 0;
  part[3] = isOfHost === true ? hostScope : 0;
  const value = addressBytes(address);
  return {
    bytes: message(kind, flags, [part, attribute(2, value), attribute(1, value)]),
    indexAt: { offset: addressIndexOffset, device },
    text: `addr ${kind === type.newAddr ? "add" : "del"} ${cidr} dev ${device}${isWithoutDad === true ? " nodad" : ""}`,
  };
}

export const addAddress = (change: AddressChange): NetlinkMessage =>
  addressMessage(type.newAddr, flag.create | flag.exclusive, change);

export const deleteAddress = (change: AddressChange): NetlinkMessage => addressMessage(type.delAddr, 0, change);

export const listAddresses = (): NetlinkMessage => ({
  bytes: message(type.getAddr, flag.dump, [Buffer.alloc(8)]),
  text: "addr show",
});

export interface RouteChange {
  readonly device: string;
  /** `0.0.0.0/0`, `::/0`, or a plain address for a host. */
  readonly destination: string;
  readonly gateway?: string | undefined;
}

const scope = { universe: 0, link: 253, nowhere: 255 } as const;

/** Only ours: `proto static`, in the main table. */
function routeMessage(kind: number, flags: number, { device, destination, gateway }: RouteChange): NetlinkMessage {
  const isNew = kind === type.newRoute;
  const version = ipVersionOf(destination.split("/")[0] ?? "");
  const target = destination.includes("/") ? destination : `${destination}/${version === 4 ? 32 : 128}`;
  const { address, prefixLength } = parseCidr(target);
  const newScope = gateway === undefined && version === 4 ? scope.link : scope.universe;
  const part = Buffer.alloc(12);
  part.set([version === 4 ? 2 : 10, prefixLength, 0, 0, 254, 4, isNew ? newScope : scope.nowhere, isNew ? 1 : 0]);
  const before = prefixLength === 0 ? [] : [attribute(1, addressBytes(address))];
  if (gateway !== undefined) before.push(attribute(5, addressBytes(gateway)));
  const offset = headerBytes + part.length + before.reduce((sum, one) => sum + one.length, 0) + 4;
  const via = gateway === undefined ? "" : ` via ${gateway}`;
  return {
    bytes: message(kind, flags, [part, ...before, attribute(4, number32(0))]),
    indexAt: { offset, device },
    text: `route ${isNew ? "replace" : "del"} ${destination}${via} dev ${device} proto static`,
  };
}

export const replaceRoute = (change: RouteChange): NetlinkMessage =>
  routeMessage(type.newRoute, flag.create | flag.replace, change);

export const deleteRoute = (change: RouteChange): NetlinkMessage => routeMessage(type.delRoute, 0, change);

export function listRoutes(ipVersion: 4 | 6): NetlinkMessage {
  const part = Buffer.alloc(12);
  part[0] = ipVersion === 4 ? 2 : 10;
  return { bytes: message(type.getRoute, flag.dump, [part]), text: `-${ipVersion} route show` };
}
