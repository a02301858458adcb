// ARP announcements: who a frame must come from so that the neighbours send to the right place.
import { addressBytes, macBytes } from "./netlink-bytes.ts";

const broadcast = Buffer.alloc(6, 0xff);

/** "I have this address", asked of everybody (RFC 5227): 42 bytes, Ethernet header included. */
export function arpAnnouncement(macAddress: string, ipAddress: string): Buffer {
  const mac = macBytes(macAddress);
  const address = addressBytes(ipAddress);
  // Ethernet and IPv4, lengths 6 and 4, request.
  const head = Buffer.from([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
  return Buffer.concat([broadcast, mac, head, mac, address, Buffer.alloc(6), address]);
}
