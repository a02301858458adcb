// rtnetlink messages that make bridges and pairs of devices; the rest of a device's life is in netlink.ts.
import {
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

const mtuAttribute = 4;
const infoAttribute = 18;
const newFlags = flag.create | flag.exclusive;

const mtuPart = (mtuBytes: number): readonly Buffer[] => (mtuBytes === 0 ? [] : [attribute(mtuAttribute, number32(mtuBytes))]);
const mtuText = (mtuBytes: number): string => (mtuBytes === 0 ? "" : ` mtu ${mtuBytes}`);

/** Kind of a device and what that kind wants to know. */
function infoPart(kind: string, data: readonly Buffer[]): Buffer {
  const kindPart = attribute(1, Buffer.from(`${kind}\0`));
  return attribute(infoAttribute, Buffer.concat([kindPart, attribute(2, Buffer.concat(data))]));
}

/** Without spanning tree and forwarding delay: a port that joins forwards at once. */
export function createBridge(bridge: string): NetlinkMessage {
  const info = infoPart("bridge", [attribute(5, number32(0)), attribute(1, number32(0))]);
  return {
    bytes: message(type.newLink, newFlags, [linkPart(), deviceName(bridge), info]),
    text: `link add ${bridge} type bridge stp_state 0 forward_delay 0`,
  };
}

export interface PairWish {
  readonly tap: string;
  readonly device: string;
  readonly namespace: string;
  readonly macAddress: string;
  /** 0: the kernel's default. */
  readonly mtuBytes: number;
}

/** One end here, the other born in the namespace with its MAC; both down. */
export function createPair({ tap, device, namespace, macAddress, mtuBytes }: PairWish): NetlinkMessage {
  const peer = [
    linkPart(),
    deviceName(device),
    ...mtuPart(mtuBytes),
    attribute(1, macBytes(macAddress)),
    attribute(28, number32(0)),
  ];
  const parts = [linkPart(), deviceName(tap), ...mtuPart(mtuBytes), infoPart("veth", [attribute(1, Buffer.concat(peer))])];
  const bytes = message(type.newLink, newFlags, parts);
  return {
    bytes,
    // The last of the last.
    namespaceAt: { offset: bytes.length - 4, namespace },
    text: `link add ${tap}${mtuText(mtuBytes)} type veth peer name ${device} netns ${namespace}${mtuText(mtuBytes)} address ${macAddress}`,
  };
}

/** Into a bridge, or with no `bridge` only up. */
export function joinLink(
  device: string,
  wish: { readonly mtuBytes: number; readonly bridge?: string | undefined },
): NetlinkMessage {
  const { mtuBytes, bridge } = wish;
  const before = [deviceName(device), ...mtuPart(mtuBytes)];
  const master = bridge === undefined ? [] : [attribute(masterAttribute, number32(0))];
  const offset = headerBytes + linkBytes + before.reduce((sum, part) => sum + part.length, 0) + 4;
  return {
    bytes: message(type.newLink, 0, [linkPart({ isUp: true }), ...before, ...master]),
    indexAt: bridge === undefined ? undefined : { offset, device: bridge },
    text: `link set ${device}${mtuText(mtuBytes)}${bridge === undefined ? "" : ` master ${bridge}`} up`,
  };
}

/** Into a bridge, and nothing else about it. */
export function enslaveLink(device: string, bridge: string): NetlinkMessage {
  const before = deviceName(device);
  return {
    bytes: message(type.newLink, 0, [linkPart(), before, attribute(masterAttribute, number32(0))]),
    indexAt: { offset: headerBytes + linkBytes + before.length + 4, device: bridge },
    text: `link set ${device} master ${bridge}`,
  };
}

/** No link-local IPv6 address comes by itself. */
export function withoutAddresses(device: string): NetlinkMessage {
  const mode = attribute(10, attribute(8, Buffer.from([1])));
  return {
    bytes: message(type.newLink, 0, [linkPart(), deviceName(device), attribute(26, mode)]),
    text: `link set ${device} addrgenmode none`,
  };
}
