// What is done in one router: its floating IPs made as they should be, or waited for, and the server told of them. When it is
// done, and whether it may be, is settled by the agent.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ApplyOutcome, FloatingIpDriver } from "../drivers/floating-ip-driver.ts";
import type { RouterReady } from "../drivers/l3-layout.ts";
import type { RouterId } from "../model/ids.ts";
import type { Timers } from "../runtime/timers.ts";
import type { VerifyPlan } from "../runtime/verify-plan.ts";
import { Announcer } from "./announcer.ts";
import type { FloatingIpCache } from "./floating-ip-cache.ts";
import type { RouterJournal, RouterStatus } from "./router-journal.ts";
import type { RouterPlaces } from "./router-places.ts";
import type { RouterStatuses } from "./router-statuses.ts";
import type { RouterWork } from "./router-work.ts";

export interface FloatingIpServingParts {
  readonly driver: FloatingIpDriver;
  readonly places: Pick<RouterPlaces, "get">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** What the agent knows. */
interface Known {
  readonly cache: FloatingIpCache;
  readonly work: RouterWork;
  readonly statuses: RouterStatuses;
  readonly plan: VerifyPlan<RouterId>;
  readonly journal: RouterJournal;
  /** The router needs another look. */
  readonly again: (id: RouterId) => void;
}

interface Note {
  readonly state: RouterStatus["state"];
  readonly reason: string | null;
  /** By `performance.now()`. */
  readonly startedAtMs: number;
}

/** So long a router may take to come before its floating IPs are reported as waiting. */
const patienceMs = 5_000;
export class FloatingIpServing {
  readonly #parts: FloatingIpServingParts;
  readonly #known: Known;
  readonly #announcer: Announcer;

  constructor(parts: FloatingIpServingParts, known: Known) {
    const { driver, timers, log, places } = parts;
    this.#parts = parts;
    this.#known = known;
    this.#announcer = new Announcer({
      ...{ driver, timers, log },
      findPlace: (id) => places.get(id),
      isServed: (id, address) => known.cache.view(id, address) !== undefined,
    });
  }

  close(): void {
    this.#announcer.close();
  }

  /** Makes what changed so, and looks at the kernel where that is asked for. */
  async serve(place: RouterReady): Promise<void> {
    const { driver, log } = this.#parts;
    const { cache, work, statuses } = this.#known;
    const { routerId } = place;
    const startedAtMs = performance.now();
    const taken = work.take(routerId);
    const dirty = new Set([...taken.addresses, ...(taken.isAll ? cache.addressesOf(routerId) : [])]);
    try {
      const changes = new Map([...dirty].map((address) => [address, cache.view(routerId, address)]));
      const changed = dirty.size > 0 || taken.isAll ? await driver.apply(place, changes) : undefined;
      const verified = taken.isVerify ? await driver.verify(place) : undefined;
      const outcomes = [changed, verified].filter((outcome) => outcome !== undefined);
      this.#onApplied(place, dirty, outcomes);
      statuses.tellGone(taken.gone);
      this.#journalize(place, outcomes, startedAtMs);
      const ms = Math.round(performance.now() - startedAtMs);
      const fields = { routerId, addresses: dirty.size, outcome: "applied", ms };
      log[taken.addresses.size > 0 ? "info" : "debug"](fields, "floating IPs applied");
    } catch (thrown) {
      work.putBack(routerId, taken);
      const reason = errorText(thrown);
      statuses.tellFailed(routerId, reason);
      // All of them are to be told of again when it works.
      work.setFailed(routerId, cache.addressesOf(routerId));
      this.#note(routerId, { state: "failing", reason, startedAtMs });
      throw thrown;
    }
  }

  #onApplied(place: RouterReady, dirty: Iterable<string>, outcomes: readonly ApplyOutcome[]): void {
    const { routerId } = place;
    const failed = outcomes.at(-1)?.failed;
    if (failed === undefined) return;
    this.#announcer.announce(place, [...new Set(outcomes.flatMap(({ added }) => added))]);
    const foreign = outcomes.reduce((sum, { foreignChanges }) => sum + foreignChanges, 0);
    if (foreign > 0) {
      this.#known.journal.foreignChanges += foreign;
      this.#parts.log.warn({ routerId, changes: foreign }, "what others had changed was repaired");
    }
    const failedBefore = this.#known.work.setFailed(routerId, [...failed.keys()]);
    this.#known.statuses.tellApplied(routerId, new Set([...dirty, ...failedBefore, ...failed.keys()]), failed);
  }

  /** Nothing can be served, or may be: the router's namespace is not there, has no way out, or is fenced. */
  async wait(id: RouterId, place: RouterReady | undefined, fenced: string | undefined): Promise<void> {
    const { driver, clock, timers } = this.#parts;
    const { cache, work, statuses } = this.#known;
    const startedAtMs = performance.now();
    const taken = work.take(id);
    try {
      driver.forget(id);
      // Of an earlier gateway: instances would still be led by what is left.
      if (place !== undefined) await driver.apply(place, new Map());
    } catch (thrown) {
      work.putBack(id, taken);
      throw thrown;
    }
    driver.forget(id);
    statuses.tellGone(taken.gone);
    const isWanted = cache.addressesOf(id).length > 0;
    if (!isWanted && place === undefined) {
      work.forget(id);
      this.#known.plan.forget(id);
      this.#known.journal.forget(id);
      return;
    }
    work.forgetTold(id);
    const state = fenced === undefined ? "waiting" : "fenced";
    const reason = fenced ?? waitReason(id, place);
    this.#note(id, { state: isWanted ? state : "served", reason: isWanted ? reason : null, startedAtMs });
    // Of what is fenced others may have the word by now.
    if (!isWanted || fenced !== undefined) return;
    const waitedMs = work.waitingMs(id, clock.monotonicMs());
    if (waitedMs >= patienceMs) statuses.tellWaiting(id, reason);
    else timers.after(patienceMs - waitedMs + 1, () => this.#known.again(id));
  }

  #journalize({ routerId }: RouterReady, outcomes: readonly ApplyOutcome[], startedAtMs: number): void {
    this.#known.plan.addServed(routerId);
    const failed = outcomes.at(-1)?.failed;
    const [reason] = failed?.values() ?? [];
    if (failed === undefined) this.#known.journal.reconcileMs.add(performance.now() - startedAtMs);
    else this.#note(routerId, { state: failed.size === 0 ? "served" : "degraded", reason: reason ?? null, startedAtMs });
  }

  #note(id: RouterId, { startedAtMs, ...told }: Note): void {
    const ms = performance.now() - startedAtMs;
    this.#known.journal.reconcileMs.add(ms);
    const addresses = this.#known.cache.addressesOf(id).length;
    this.#known.journal.set(id, { ...told, addresses, atMs: this.#parts.clock.nowMs(), ms: Math.round(ms * 10) / 10 });
  }
}

const waitReason = (id: RouterId, place: RouterReady | undefined): string =>
  place === undefined ? `router ${id} is not on this host yet` : `router ${id} has no gateway on this host`;
