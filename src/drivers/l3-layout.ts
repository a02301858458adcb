// What the router driver builds in a router's namespace and the floating-IP driver fills: names, keys, and how one hears of the
// other. The router driver owns namespace, devices, addresses, routes, chains and all sets but those of `floatingIpObjects`; of
// these it owns the declaration only, and keeps their elements when it loads its rules again. The floating-IP driver owns their
// elements, and in the `local` routing table the routes of floating IPs (`local <address> dev qg-… proto static`): a local route
// makes the kernel answer ARP and take packets in, and costs less than an address. The gateway's own address is an address.
import { join } from "node:path";
import type { PortId, RouterId } from "../model/ids.ts";

/** Where a router's rules lead what instances send to the metadata address; nothing else gets there. */
export const routerMetadataPort = 9697;

/** Of family `inet`. */
export const routerTable = "netloom";

/**
 * Sets and maps of the floating-IP driver. What a flow was translated by must be in force for each of its packets, so removing the
 * elements of a floating IP cuts its flows at once, without a walk through the connection table, and touches no others.
 */
export const floatingIpObjects = {
  /** map: floating → fixed. Also for packets of the router itself. */
  fipIn: { kind: "map", name: "fip_in", type: "ipv4_addr : ipv4_addr", isInterval: false },
  /** map: fixed → floating, for what leaves by the gateway, and for instances that reach another's floating IP. */
  fipOut: { kind: "map", name: "fip_out", type: "ipv4_addr : ipv4_addr", isInterval: false },
  /** set: floating . fixed. Guard of both directions. */
  fipPair: { kind: "set", name: "fip_pair", type: "ipv4_addr . ipv4_addr", isInterval: false },
  /** map: floating . protocol . external port → internal address . internal port. Looked up after `fip_in`. */
  pf: {
    kind: "map",
    name: "pf",
    type: "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
    isInterval: false,
  },
  /** The same for a range of external ports that leads to one internal port. */
  pfRange: {
    kind: "map",
    name: "pf_range",
    type: "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
    isInterval: true,
  },
  /** map: floating . protocol . external range → internal address; ports stay what they are. A shifted range goes into `pf`, port by port. */
  pfKeep: { kind: "map", name: "pf_keep", type: "ipv4_addr . inet_proto . inet_service : ipv4_addr", isInterval: true },
  /** map: floating . protocol (icmp) → internal address. */
  pfIcmp: { kind: "map", name: "pf_icmp", type: "ipv4_addr . inet_proto : ipv4_addr", isInterval: false },
  /** set: floating . protocol . external port . internal address. Guard of packets from outside; one of the two is enough. */
  pfSeen: {
    kind: "set",
    name: "pf_seen",
    type: "ipv4_addr . inet_proto . inet_service . ipv4_addr",
    isInterval: false,
  },
  pfSeenRange: {
    kind: "set",
    name: "pf_seen_range",
    type: "ipv4_addr . inet_proto . inet_service . ipv4_addr",
    isInterval: true,
  },
  /** set: floating . protocol . internal address . internal port. Guard of the answers; one of the two is enough. */
  pfBack: {
    kind: "set",
    name: "pf_back",
    type: "ipv4_addr . inet_proto . ipv4_addr . inet_service",
    isInterval: false,
  },
  pfBackRange: {
    kind: "set",
    name: "pf_back_range",
    type: "ipv4_addr . inet_proto . ipv4_addr . inet_service",
    isInterval: true,
  },
  /** set: floating . protocol (icmp) . internal address. Guard of both directions. */
  pfIcmpPair: { kind: "set", name: "pf_icmp_pair", type: "ipv4_addr . inet_proto . ipv4_addr", isInterval: false },
} as const;

/**
 * Written by the router driver, atomically, once namespace, gateway device and table are there; removed before any of them goes
 * away. Whoever watches `readyDirectory` hears of every router with one watch.
 */
export interface RouterReady {
  readonly routerId: RouterId;
  readonly namespace: string;
  /** Another one: all is new. */
  readonly namespaceInode: number;
  /**
   * New whenever elements or local routes of the floating-IP driver may have been lost: the namespace, the table or the gateway
   * device was made anew. Then everything is to be loaded again. The same epoch after a restart of the agent: nothing was touched.
   */
  readonly epoch: string;
  /** Where local routes and ARP announcements belong; null while the router has no gateway: floating IPs wait. */
  readonly gatewayDevice: string | null;
  readonly gatewayPortId: PortId | null;
  /** Of `gatewayDevice`; source of ARP announcements. */
  readonly gatewayMac: string | null;
  /**
   * Of a router of high availability; absent otherwise. Elements and local routes are the same in every state: the hook of the
   * VRRP process makes the gateway device answer for them or not. Only a primary may announce anything.
   */
  readonly haState?: HaState | undefined;
}

export const readyDirectory = (stateDir: string): string => join(stateDir, "l3", "ready");

/** JSON of `RouterReady`. */
export const readyFile = (stateDir: string, router: RouterId): string => join(readyDirectory(stateDir), `${router}.json`);

/** Whether a router of high availability forwards on this host. `unknown`: its VRRP process has not said anything yet. */
export type HaState = "primary" | "backup" | "unknown";

/** Whoever watches it hears of every transition with one watch. */
export const haStateDirectory = (stateDir: string): string => join(stateDir, "l3", "ha-state");

/** One word, `primary` or `backup`: replaced whole at each transition by the VRRP process' hook, also while no agent runs. */
export const haStateFile = (stateDir: string, router: RouterId): string => join(haStateDirectory(stateDir), router);
