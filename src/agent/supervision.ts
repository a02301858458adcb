// Looks after what a host has: what earlier processes left there, DHCP servers that died, and once in a while everything. It
// changes nothing itself: it says which networks need a reconcile.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DhcpDeviceManager, DhcpDriver } from "../drivers/dhcp-driver.ts";
import type { NetworkId } from "../model/ids.ts";
import type { Lane } from "../runtime/reconcile-queue.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";
import { CrashLoop, deathWindowMs, mostDeaths } from "./crash-loop.ts";
import type { NetworkHelpers } from "./network-helpers.ts";
import { VerifyPlan } from "../runtime/verify-plan.ts";

export interface SupervisionParts {
  readonly driver: Pick<DhcpDriver, "findDead">;
  readonly deviceManager: Pick<DhcpDeviceManager, "hasUnremoved">;
  readonly helpers: Pick<NetworkHelpers, "readInventory" | "served">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
  /** How often each served network is looked at in the kernel. */
  readonly verifyEveryMs?: number | undefined;
  readonly mark: (id: NetworkId, lane: Lane) => void;
  /** A server died; `isGivenUp`: it is not started again before something changes. */
  readonly onCrash: (id: NetworkId, crash: { readonly isGivenUp: boolean }) => void;
}

const sweepEveryMs = 2_000;
const usualVerifyEveryMs = 60_000;

export class Supervision {
  readonly #parts: SupervisionParts;
  readonly #crashLoop: CrashLoop;
  readonly verifyPlan: VerifyPlan<NetworkId>;
  #isInventoryWanted = false;
  /** Before the server has said everything, an unknown network may only be one that has not been told of yet. */
  #mayRemove = false;
  #cancelSweep: CancelTimer = () => {};

  constructor(parts: SupervisionParts) {
    const { clock, random, verifyEveryMs = usualVerifyEveryMs } = parts;
    this.#parts = parts;
    this.#crashLoop = new CrashLoop(clock, random);
    this.verifyPlan = new VerifyPlan({ clock, tickMs: sweepEveryMs, everyMs: verifyEveryMs });
  }

  get crashes(): number {
    return this.#crashLoop.total;
  }

  start(): void {
    this.#cancelSweep = repeatEvery(this.#parts.timers, sweepEveryMs, () => this.#sweep());
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

  giveChance(id: NetworkId): void {
    this.#crashLoop.giveChance(id);
  }

  forget(id: NetworkId): void {
    this.#crashLoop.forget(id);
    this.verifyPlan.forget(id);
  }

  /** Finds what earlier processes left on this host and what nobody wants any more. */
  async #readInventory(): Promise<void> {
    if (!this.#isInventoryWanted || !this.#mayRemove) return;
    this.#isInventoryWanted = false;
    try {
      for (const id of await this.#parts.helpers.readInventory()) this.#parts.mark(id, "resync");
    } catch (err) {
      this.#isInventoryWanted = true;
      this.#parts.log.warn({ err }, "inventory failed, will be repeated");
    }
  }

  async #sweep(): Promise<void> {
    const { driver, deviceManager, log, mark } = this.#parts;
    if (deviceManager.hasUnremoved?.() === true) this.#isInventoryWanted = true;
    await this.#readInventory();
    for (const id of this.verifyPlan.due()) {
      if (!this.#crashLoop.hasGivenUp(id)) mark(id, "resync");
    }
    try {
      for (const id of await driver.findDead()) this.#onDead(id);
    } catch (err) {
      log.warn({ err }, "looking for dead dhcp servers failed");
    }
  }

  #onDead(id: NetworkId): void {
    const { helpers, log, mark, onCrash } = this.#parts;
    if (!helpers.served.has(id)) return;
    const verdict = this.#crashLoop.judge(id);
    if (verdict === "wait") return;
    const isGivenUp = verdict === "give-up";
    const detail = { networkId: id, ...(isGivenUp ? { reason: `${mostDeaths} deaths in ${deathWindowMs / 1000} s` } : {}) };
    log[isGivenUp ? "error" : "warn"](detail, isGivenUp ? "dhcp server dies again and again, given up" : "dhcp server died");
    onCrash(id, { isGivenUp });
    if (!isGivenUp) mark(id, "event");
  }
}
