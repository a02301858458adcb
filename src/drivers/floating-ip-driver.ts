// What the floating-IP agent asks of a driver: floating addresses inside routers that somebody else builds.
import type { RouterId } from "../model/ids.ts";
import type { PortForwarding } from "../model/router.ts";
import type { RouterReady } from "./l3-layout.ts";

/** All that one floating address does on one router. */
export interface FloatingAddress {
  readonly address: string;
  /** Null: it only carries port forwardings. */
  readonly fixedIp: string | null;
  readonly forwardings: readonly PortForwarding[];
  /** The newest of its parts; of two that want the same, the newer one gets it. */
  readonly revision: number;
}

/** `undefined`: the address is to be nothing on this router. */
export type AddressChanges = ReadonlyMap<string, FloatingAddress | undefined>;

export interface ApplyOutcome {
  /** Addresses that are not as asked for, and why. All others are. */
  readonly failed: ReadonlyMap<string, string>;
  /** Addresses that were not there before: the neighbours have to hear of them. */
  readonly added: readonly string[];
  /** Elements and routes that were not as this driver had left them. */
  readonly foreignChanges: number;
}

/**
 * Makes floating addresses of routers what is asked for, and touches nothing else in their namespaces.
 *
 * The first call for a router names all of its addresses; what the router has beyond these is removed. Later calls name what
 * changed. Calls for one router do not overlap. What failed is tried again with the next call for that router, whatever it names.
 */
export interface FloatingIpDriver {
  /** Reaches the asked state, all of it in one kernel transaction; throws when nothing can be done in the router at all. */
  apply(place: RouterReady, changes: AddressChanges): Promise<ApplyOutcome>;
  /** Looks at what the kernel really has, and repairs it. */
  verify(place: RouterReady): Promise<ApplyOutcome>;
  /** Tells the neighbours once where these addresses are now. */
  announce(place: RouterReady, addresses: readonly string[]): Promise<void>;
  /** The router is not here any more: the next call for it is a first one. */
  forget(router: RouterId): void;
}
