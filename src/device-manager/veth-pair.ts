// The pair of devices that every interface driver makes: what the worker does for it in the host's namespace.
import { carriesIpv6 } from "../linux/bridge.ts";
import { hasDevice } from "../linux/ip.ts";
import { type NamespaceOperation, netlink } from "../linux/namespace-worker.ts";
import { createPair, withoutAddresses } from "../linux/netlink-pair.ts";
import { deleteLink } from "../linux/netlink.ts";
import { isNamespace, removeStaleNamespaceFile } from "../linux/netns.ts";
import type { InterfacePort } from "./interface-driver.ts";

/** Namespace when there is none, then the pair: its inner end is born where it belongs, with its MAC, and down. */
export function createPairOperations(port: InterfacePort): readonly NamespaceOperation[] {
  const { namespace, tap, mtuBytes } = port;
  const operations: NamespaceOperation[] = [];
  if (!isNamespace(namespace)) {
    removeStaleNamespaceFile(namespace);
    operations.push({ kind: "makeNamespace", name: namespace });
  }
  // Half a pair, or one whose other end is elsewhere, is of no use; removing one end removes both.
  if (hasDevice(tap)) operations.push(netlink(deleteLink(tap)));
  operations.push(netlink(createPair(port)), ...noAddressOperations(tap, mtuBytes));
  return operations;
}

/** The host has no address on a tenant's wire, not even a link-local one. */
export const noAddressOperations = (device: string, mtuBytes: number): readonly NamespaceOperation[] =>
  carriesIpv6(mtuBytes) ? [netlink(withoutAddresses(device))] : [];
