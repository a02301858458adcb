// Messages for the connection table of a namespace. The kernel walks the whole table, some 60 ms for 100,000 entries: for what
// happens seldom.
import { addressBytes, attribute, message, number32 } from "./netlink-bytes.ts";
import type { NamespaceOperation } from "./namespace-worker.ts";

/** Subsystem CTNETLINK, its message DELETE. */
const deleteConnection = 0x102;
const nested = 0x8000;
const part = { replyTuple: 2, filter: 25, tupleIp: 1, ipv4Destination: 2, replyFlags: 2 } as const;
/** Of the tuple only the destination counts. */
const destinationCounts = 2;

/** Forgets the IPv4 flows whose answers come to `address`: those that were translated to it, and its own. None is success. */
export function deleteFlowsAnsweredTo(address: string): NamespaceOperation {
  const ip = attribute(part.tupleIp | nested, attribute(part.ipv4Destination, addressBytes(address)));
  const body = [
    // IPv4, version 0, no resource.
    Buffer.from([2, 0, 0, 0]),
    attribute(part.replyTuple | nested, ip),
    attribute(part.filter | nested, attribute(part.replyFlags, number32(destinationCounts))),
  ];
  return {
    kind: "netfilter",
    message: { bytes: message(deleteConnection, 0, body), text: `conntrack -D --reply-dst ${address}` },
  };
}
