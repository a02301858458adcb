// Items of the stream of floating-IP agents, as tests want them.
import { floatingIpId, networkId, portId, type RouterId, routerId } from "../../src/model/ids.ts";
import type { FloatingIp, PortForwarding } from "../../src/model/router.ts";
import type { FloatingIpItem } from "../../src/types/l3-messages.ts";

const uuidOf = (kind: number, n: number): string => `0000000${kind}-0000-4000-8000-${String(n).padStart(12, "0")}`;

export const testRouterId = (n: number): RouterId => routerId(uuidOf(1, n));
const testFloatingIpId = (n: number): FloatingIp["id"] => floatingIpId(uuidOf(2, n));

/** Floating IP number `n` is 203.0.113.`n` and leads to 10.0.0.`n` on router 1, unless told otherwise. */
export function floatingIpItem(n: number, revision: number, body: Partial<FloatingIp> = {}): FloatingIpItem {
  const id = testFloatingIpId(n);
  const full: FloatingIp = {
    ...{ id, projectId: "blue", floatingIp: `203.0.113.${n}`, fixedIp: `10.0.0.${n}`, portId: portId(uuidOf(3, n)) },
    ...{ routerId: testRouterId(1), gatewayPortId: portId(uuidOf(4, 1)), networkId: networkId(uuidOf(5, 1)) },
    ...body,
    revision,
  };
  return { op: "upsert", kind: "floating-ip", id, routerId: full.routerId, revision, body: full };
}

/** Forwards TCP port 8000 + `n` of floating IP `floatingIp` to port 80 of 10.0.0.`n`. */
export function forwardingItem(
  n: number,
  revision: number,
  { floatingIp, ...body }: Partial<PortForwarding> & { readonly floatingIp: string },
): FloatingIpItem {
  const id = uuidOf(6, n);
  const full: PortForwarding = {
    ...{ id, floatingIpId: testFloatingIpId(n), floatingIp, routerId: testRouterId(1), protocol: "tcp" },
    ...{ externalPorts: { first: 8000 + n, last: 8000 + n }, internalPorts: { first: 80, last: 80 } },
    ...{ internalIp: `10.0.0.${n}`, internalPortId: portId(uuidOf(3, n)) },
    ...body,
    revision,
  };
  return { op: "upsert", kind: "port-forwarding", id, routerId: full.routerId, revision, body: full };
}

/** @param item whose object goes */
export function goneItem(
  { kind, id, routerId: router }: FloatingIpItem,
  revision: number,
  from: RouterId = router,
): FloatingIpItem {
  return { op: "delete", kind, id, routerId: from, revision };
}
