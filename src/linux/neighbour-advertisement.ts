// What an ARP announcement is to IPv4: an unsolicited neighbour advertisement, by which neighbours that knew another owner learn
// of this one (RFC 4861, 7.2.6).
import { addressBytes, macBytes } from "./netlink-bytes.ts";

const icmp6 = 58;
/** Kind and code. */
const advertisement = [136, 0];
/** From a router; overrides what is known. */
const flags = [0xa0, 0, 0, 0];
const allNodes = addressBytes("ff02::1");
/** The group of all nodes on Ethernet (RFC 2464). */
const allNodesMac = Buffer.from("333300000001", "hex");

/** 86 bytes, Ethernet header included. */
export function neighbourAnnouncement(macAddress: string, ipAddress: string): Buffer {
  const mac = macBytes(macAddress);
  const address = addressBytes(ipAddress);
  // Option 2, eight bytes: the address of the link.
  const target = Buffer.concat([Buffer.from(flags), address, Buffer.from([2, 1]), mac]);
  const length = 4 + target.length;
  const pseudoHeader = Buffer.concat([address, allNodes, Buffer.from([0, 0, 0, length, 0, 0, 0, icmp6])]);
  const sum = checksum(Buffer.concat([pseudoHeader, Buffer.from([...advertisement, 0, 0]), target]));
  // Of 255 hops: what came through a router is not believed.
  const header = Buffer.from([0x60, 0, 0, 0, 0, length, icmp6, 255]);
  const ethernet = Buffer.concat([allNodesMac, mac, Buffer.from([0x86, 0xdd])]);
  return Buffer.concat([ethernet, header, address, allNodes, Buffer.from([...advertisement, sum >> 8, sum & 0xff]), target]);
}

/** Of an even number of bytes (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
