// Looks after the routers of a host: what earlier processes left there, namespaces and helpers that went, and once in a while
// everything. It changes nothing itself: it says which routers need a reconcile.
import { errorText } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { RouterDriver } from "../drivers/router-driver.ts";
import type { RouterId } from "../model/ids.ts";
import type { Lane } from "../runtime/reconcile-queue.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";
import { VerifyPlan } from "../runtime/verify-plan.ts";

export interface RouterSupervisionParts {
  readonly driver: Pick<RouterDriver, "list" | "findBroken">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** How often each router is looked at in the kernel. */
  readonly verifyEveryMs: number;
  readonly sweepEveryMs?: number | undefined;
  readonly mark: (id: RouterId, lane: Lane) => void;
  /** A reconcile of it waits or runs: what is missing may be on its way. */
  readonly isDirty: (id: RouterId) => boolean;
}

const usualSweepMs = 2_000;

export class RouterSupervision {
  readonly #parts: RouterSupervisionParts;
  readonly verifyPlan: VerifyPlan<RouterId>;
  readonly #sweepEveryMs: number;
  #isInventoryWanted = false;
  /** Before the server has said everything, an unknown router may only be one that has not been told of yet. */
  #mayRemove = false;
  #cancelSweep: CancelTimer = () => {};

  constructor(parts: RouterSupervisionParts) {
    const { clock, verifyEveryMs } = parts;
    this.#parts = parts;
    this.#sweepEveryMs = parts.sweepEveryMs ?? Math.min(usualSweepMs, verifyEveryMs);
    this.verifyPlan = new VerifyPlan({ clock, tickMs: this.#sweepEveryMs, everyMs: verifyEveryMs });
  }

  start(): void {
    this.#cancelSweep = repeatEvery(this.#parts.timers, this.#sweepEveryMs, () => this.sweep());
  }

  close(): void {
    this.#cancelSweep();
  }

  /** The server has once said everything: what nobody wants may go from now on. */
  allowRemovals(): void {
    this.#mayRemove = true;
  }

  wantInventory(): void {
    this.#isInventoryWanted = true;
    void this.#readInventory();
  }

  async sweep(): Promise<void> {
    const { mark, driver, isDirty, log } = this.#parts;
    await this.#readInventory();
    for (const id of this.verifyPlan.due()) mark(id, "resync");
    try {
      for (const id of await driver.findBroken()) {
        if (isDirty(id)) continue;
        this.verifyPlan.want(id);
        mark(id, "event");
      }
    } catch (thrown) {
      log.warn({ err: errorText(thrown) }, "looking for broken routers failed");
    }
  }

  /** Finds what earlier processes left on this host and what nobody wants any more. */
  async #readInventory(): Promise<void> {
    if (!this.#isInventoryWanted || !this.#mayRemove) return;
    this.#isInventoryWanted = false;
    try {
      for (const id of await this.#parts.driver.list()) this.#parts.mark(id, "resync");
    } catch (thrown) {
      this.#isInventoryWanted = true;
      this.#parts.log.warn({ err: errorText(thrown) }, "inventory failed, will be repeated");
    }
  }
}
