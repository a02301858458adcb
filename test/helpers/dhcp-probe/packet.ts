// Just enough DHCPv4 (RFC 2131, RFC 2132) for a test client that plays any MAC address. The network under test answers as to
// any client; nothing here is used by the product.

export type MessageType = "discover" | "offer" | "request" | "decline" | "ack" | "nak" | "release";

const typeCodes: Readonly<Record<MessageType, number>> = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
};
const typeNames = new Map(Object.entries(typeCodes).map(([name, code]) => [code, name]));

const magicCookie = 0x63825363;
const optionsOffset = 240;
const broadcastFlag = 0x8000;

export const dhcpOption = {
  subnetMask: 1,
  router: 3,
  dnsServers: 6,
  domainName: 15,
  mtu: 26,
  requestedAddress: 50,
  leaseSeconds: 51,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  classlessRoutes: 121,
} as const;

export interface DhcpQuery {
  readonly type: "discover" | "request" | "release";
  readonly mac: string;
  readonly transactionId: number;
  readonly requestedAddress?: string;
  readonly serverId?: string;
  /** Set when renewing: the address in use. */
  readonly clientAddress?: string;
}

export interface DhcpReply {
  readonly type: string;
  readonly mac: string;
  readonly transactionId: number;
  readonly address: string;
  readonly options: ReadonlyMap<number, Buffer>;
}

const addressBytes = (address: string): readonly number[] => address.split(".").map(Number);
export const formatAddress = (bytes: Uint8Array): string => [...bytes].join(".");
const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");

function option(code: number, value: readonly number[]): readonly number[] {
  return [code, value.length, ...value];
}

export function buildQuery(query: DhcpQuery): Buffer {
  const fixed = Buffer.alloc(optionsOffset);
  fixed.writeUInt8(1, 0);
  fixed.writeUInt8(1, 1);
  fixed.writeUInt8(6, 2);
  fixed.writeUInt32BE(query.transactionId, 4);
  fixed.writeUInt16BE(broadcastFlag, 10);
  if (query.clientAddress !== undefined) Buffer.from(addressBytes(query.clientAddress)).copy(fixed, 12);
  macBytes(query.mac).copy(fixed, 28);
  fixed.writeUInt32BE(magicCookie, 236);
  const wanted = [dhcpOption.subnetMask, dhcpOption.router, dhcpOption.dnsServers, dhcpOption.domainName, dhcpOption.mtu];
  const options = [
    ...option(dhcpOption.messageType, [typeCodes[query.type]]),
    ...(query.requestedAddress === undefined ? [] : option(dhcpOption.requestedAddress, addressBytes(query.requestedAddress))),
    ...(query.serverId === undefined ? [] : option(dhcpOption.serverId, addressBytes(query.serverId))),
    ...option(dhcpOption.parameterList, wanted),
    255,
  ];
  return Buffer.concat([fixed, Buffer.from(options)]);
}

/** `undefined` for what is not a reply of a DHCP server. */
export function parseReply(packet: Buffer): DhcpReply | undefined {
  if (packet.length < optionsOffset || packet.readUInt8(0) !== 2 || packet.readUInt32BE(236) !== magicCookie) return undefined;
  const options = new Map<number, Buffer>();
  for (let at = optionsOffset; at < packet.length && packet[at] !== 255; ) {
    const code = packet[at] ?? 255;
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = packet[at + 1] ?? 0;
    options.set(code, packet.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return {
    type: typeNames.get(options.get(dhcpOption.messageType)?.[0] ?? 0) ?? "unknown",
    mac: packet
      .subarray(28, 34)
      .toString("hex")
      .replace(/(..)(?!$)/g, "$1:"),
    transactionId: packet.readUInt32BE(4),
    address: formatAddress(packet.subarray(16, 20)),
    options,
  };
}
