// What the L3 agent asks of whatever makes routers. The agent knows no more than this.
import type { HaState } from "./l3-layout.ts";
import type { RouterId } from "../model/ids.ts";
import type { Router } from "../model/router.ts";

/** `adopted`: all of it was there already when this process first looked. */
export type RouterOutcome = "unchanged" | "adopted" | "created" | "changed";

export interface ApplyRouterOptions {
  /** Look at the kernel again even where this process believes to know. */
  readonly verify: boolean;
}

export interface AppliedRouter {
  readonly outcome: RouterOutcome;
  /** What the kernel was lacking, or had too much, though nobody had asked for that: changes that others made. */
  readonly foreignChanges: number;
  /** What the kernel does not take at the moment (a next hop that cannot be reached): the rest is as asked. */
  readonly warnings: readonly string[];
  /** Of a router of high availability: what it is on this host. */
  readonly haState?: HaState | undefined;
}

/** Where the metadata of a router's instances are asked for. */
export interface RouterPlace {
  readonly namespace: string;
}

/**
 * Makes routers on this host what is asked for.
 *
 * `apply` is idempotent: called twice with the same value it changes nothing the second time. It reaches the asked state or
 * throws; after a throw or a kill at any line, the next `apply` with any value repairs. What runs and fits is adopted without
 * touching it. Calls for one router must not overlap; calls for different routers may.
 */
export interface RouterDriver {
  apply(router: Router, options: ApplyRouterOptions): Promise<AppliedRouter>;
  /** Removes all of it; absent is success. */
  remove(id: RouterId): Promise<void>;
  /** Routers that have something on this host, found by looking, not by remembering. */
  list(): Promise<readonly RouterId[]>;
  /** Routers whose namespace or helper process is gone though this process made it. Cheap: no fork. */
  findBroken(): Promise<readonly RouterId[]>;
  placeOf(id: RouterId): RouterPlace;
  close(): Promise<void>;
}
