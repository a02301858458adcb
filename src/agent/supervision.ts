// Looks after what a host has: what earlier processes left there, DHCP servers that died, and once in a while everything. It
// changes nothing itself: it says which networks need a reconcile.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DhcpDeviceManager, DhcpDriver } from "../drivers/dhcp-driver.ts";
import type { NetworkId } from "../model/ids.ts";
import type { Lane } from "../runtime/reconcile-queue.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";
import { CrashLoop, type CrashVerdict, deathWindowMs, mostDeaths } from "./crash-loop.ts";
import type { NetworkHelpers } from "./network-helpers.ts";
import { VerifyPlan } from "../runtime/verify-plan.ts";

export interface SupervisionParts {
  readonly driver: Pick<DhcpDriver, "findDead">;
  readonly deviceManager: Pick<DhcpDeviceManager, "hasUnremoved" | "findDamaged" | "tidy">;
  readonly helpers: Pick<NetworkHelpers, "readInventory" | "served">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
  /** How often each served network is looked at in the kernel. */
  readonly verifyEveryMs?: number | undefined;
  readonly mark: (id: NetworkId, lane: Lane) => void;
  /** A reconcile of it waits or runs, which may start its server at this moment. */
  readonly isDirty: (id: NetworkId) => boolean;
  /** A server died. Unless it was given up, `mark` follows, and the network's turn must not come before `restartDelayMs`. */
  readonly onCrash: (id: NetworkId, crash: CrashVerdict) => void;
}

const sweepEveryMs = 2_000;
/** A look at one process costs some 4 µs: of a thousand networks, less than a hundredth of a core. */
const lookForDeadEveryMs = 500;
const usualVerifyEveryMs = 60_000;

export class Supervision {
  readonly #parts: SupervisionParts;
  readonly #crashLoop: CrashLoop;
  readonly verifyPlan: VerifyPlan<NetworkId>;
  #isInventoryWanted = false;
  /** Before the server has said everything, an unknown network may only be one that has not been told of yet. */
  #mayRemove = false;
  /** Their server was seen dead, and they have not been served since: one death is judged once. */
  readonly #down = new Set<NetworkId>();
  #cancelTimers: readonly CancelTimer[] = [];

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
    const { timers } = this.#parts;
    this.#cancelTimers = [
      repeatEvery(timers, sweepEveryMs, () => this.#sweep()),
      repeatEvery(timers, lookForDeadEveryMs, () => this.#lookForDead()),
    ];
  }

  close(): void {
    for (const cancel of this.#cancelTimers) cancel();
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

  /** How long a network whose server died has to wait for its next reconcile. */
  restartDelayMs(id: NetworkId): number {
    return this.#crashLoop.waitMs(id);
  }

  addServed(id: NetworkId): void {
    this.#down.delete(id);
    // Whatever it was that had one that was given up started again: its next death is judged anew.
    if (this.#crashLoop.hasGivenUp(id)) this.#crashLoop.giveChance(id);
    this.verifyPlan.addServed(id);
  }

  forget(id: NetworkId): void {
    this.#down.delete(id);
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
    const { deviceManager, log, mark } = this.#parts;
    if (deviceManager.hasUnremoved?.() === true) this.#isInventoryWanted = true;
    await this.#readInventory();
    for (const id of this.verifyPlan.due()) {
      if (!this.#crashLoop.hasGivenUp(id)) mark(id, "resync");
    }
    try {
      this.#lookForDamage();
      await deviceManager.tidy?.();
    } catch (err) {
      log.warn({ err }, "looking after devices failed, will be repeated");
    }
  }

  #lookForDamage(): void {
    const { deviceManager, helpers, log, mark } = this.#parts;
    for (const id of deviceManager.findDamaged?.() ?? []) {
      if (!helpers.served.has(id)) continue;
      log.warn({ networkId: id }, "device of the network was removed or taken apart, will be repaired");
      this.verifyPlan.want(id);
      mark(id, "event");
    }
  }

  async #lookForDead(): Promise<void> {
    const { driver, log, isDirty } = this.#parts;
    try {
      // Only those that were settled before the look and still are: a server that is being started is not dead.
      const settled = this.#readSettled();
      for (const id of await driver.findDead()) if (settled.has(id) && !isDirty(id)) this.#onDead(id);
    } catch (err) {
      log.warn({ err }, "looking for dead dhcp servers failed");
    }
  }

  #readSettled(): ReadonlySet<NetworkId> {
    const { helpers, isDirty } = this.#parts;
    return new Set([...helpers.served].filter((id) => !isDirty(id)));
  }

  #onDead(id: NetworkId): void {
    const { helpers, log, mark, onCrash } = this.#parts;
    if (!helpers.served.has(id) || this.#down.has(id)) return;
    this.#down.add(id);
    const verdict = this.#crashLoop.judge(id);
    if (verdict.isGivenUp) {
      const reason = `${mostDeaths} deaths in ${deathWindowMs / 1000} s`;
      log.error({ networkId: id, reason }, "dhcp server dies again and again, given up");
    } else log.warn({ networkId: id, ms: Math.round(verdict.delayMs) }, "dhcp server died, will be started again");
    onCrash(id, verdict);
    if (!verdict.isGivenUp) mark(id, "event");
  }
}
