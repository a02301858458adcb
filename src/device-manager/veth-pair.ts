// The pair of devices that every interface driver makes, as lines for `ip -batch`.
import { noAddressLines } from "../linux/bridge.ts";
import { hasDevice, ipLine } from "../linux/ip.ts";
import { isNamespace, removeStaleNamespaceFile } from "../linux/netns.ts";
import type { InterfacePort } from "./interface-driver.ts";

export const mtuWords = (mtuBytes: number): readonly (string | number)[] => (mtuBytes === 0 ? [] : ["mtu", mtuBytes]);

/** Namespace when there is none, then the pair: its inner end is born where it belongs, with its MAC, and down. */
export function createPairLines(port: InterfacePort): readonly string[] {
  const { namespace, tap, device, macAddress, mtuBytes } = port;
  const lines: string[] = [];
  if (!isNamespace(namespace)) {
    removeStaleNamespaceFile(namespace);
    lines.push(ipLine("netns", "add", namespace));
  }
  // Half a pair, or one whose other end is elsewhere, is of no use; removing one end removes both.
  if (hasDevice(tap)) lines.push(ipLine("link", "del", tap));
  const mtu = mtuWords(mtuBytes);
  const peer = ["peer", "name", device, "netns", namespace, ...mtu, "address", macAddress];
  return [...lines, ipLine("link", "add", tap, ...mtu, "type", "veth", ...peer), ...noAddressLines(tap)];
}
