// What the router driver asks of whatever decides which host of a router of high availability forwards.
import type { RouterId } from "../model/ids.ts";
import type { HaState } from "./l3-layout.ts";

/** On the HA device of the primary, and nowhere else: who has it is the primary. */
export const virtualAddress = (vrId: number): string => `169.254.0.${vrId}`;

export interface HaAddress {
  readonly device: string;
  /** Of the device. */
  readonly macAddress: string;
  /** `address/prefix` */
  readonly cidr: string;
}

export interface HaRoute {
  /** `address/prefix` */
  readonly destination: string;
  /** At least one. */
  readonly nextHops: readonly { readonly gateway?: string | undefined; readonly device?: string | undefined }[];
}

/** A kernel setting that differs between the two states. */
export interface HaSetting {
  /** With slashes, below `net/`. */
  readonly name: string;
  readonly primary: number;
  readonly backup: number;
}

/** What belongs to the primary only. All of it is checked text: no name or word of a tenant. */
export interface HaPlan {
  readonly routerId: RouterId;
  readonly namespace: string;
  /** Inside the namespace: on the HA network, with an address of this host's own. */
  readonly device: string;
  readonly vrId: number;
  readonly priority: number;
  readonly addresses: readonly HaAddress[];
  readonly routes: readonly HaRoute[];
  readonly settings: readonly HaSetting[];
  /** Whose local routes are announced at a take-over. */
  readonly announcer: { readonly device: string; readonly macAddress: string } | undefined;
}

/** Whether anything elects the primary: it ran, it was started just now, or there is nothing that could be. */
export type RevivedHa = "running" | "started" | "absent";

/**
 * Elects the primary among the hosts of a router and moves addresses, routes and settings there. What it starts outlives the
 * agent and needs none: a take-over works while agents and servers are away.
 */
export interface RouterHaDriver {
  /**
   * Call it when the devices are there. Idempotent; a changed plan takes effect without a transition.
   *
   * @param isRemade a device was made anew: what the state asks of it is to be set again
   * @returns whether anything had to be done
   */
  ensure(plan: HaPlan, options: { readonly isRemade: boolean }): Promise<boolean>;
  /**
   * Starts again what does not run any more, as it was, and leaves it all that the primary has: call it before anything is
   * compared. What was never made is absent, and so is what does not start from files that are not the driver's any more.
   *
   * @throws NetloomError when it does not start from what the driver wrote
   */
  revive(id: RouterId, namespace: string): Promise<RevivedHa>;
  /** Whether it runs, in the namespace that has this name now. */
  isRunning(id: RouterId, namespace: string): Promise<boolean>;
  /** Whether anything of that router is on this host. */
  has(id: RouterId): Promise<boolean>;
  /** Gives up the primary's part in good order, so that another host takes over at once. Absent is success. */
  remove(id: RouterId): Promise<void>;
  /** As the hook has noted it last. */
  stateOf(id: RouterId): Promise<HaState>;
}
