// Takes networks or routers from agents that have died and gives them to others, one a transaction. Of several servers the one
// that holds the lease does it, and it asks for the lease again in each transaction: a server that was paused does no harm.
import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { LoadedAgent } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { holdsJobLease, type JobLease, releaseJobLease, takeJobLease } from "../store/job-leases.ts";
import type { AgentAutoSchedule } from "./agent-auto-schedule.ts";
import { judgeSilence, type ObservedAgent, type SilenceLimits, type SilenceVerdict } from "./agent-silence.ts";
import type { LivenessTable } from "./liveness.ts";

export interface FailoverSettings extends Omit<SilenceLimits, "agentDownMs"> {
  /** 0: networks stay where they are. */
  readonly failoverMovesPerSecond: number;
}

export const defaultFailover: FailoverSettings = {
  failoverAfterMs: 40_000,
  failoverMovesPerSecond: 20,
  freezeShare: 0.5,
  freezeMinAgents: 2,
};

/** What the agents of one role host. */
export interface Hosted {
  /** Of the job's lease. */
  readonly job: string;
  /** Field of log lines that names one. */
  readonly idField: "networkId" | "routerId";
  readonly texts: {
    readonly frozen: string;
    readonly thawed: string;
    readonly moved: string;
    readonly notMoved: string;
  };
  readAgents(): Promise<readonly LoadedAgent[]>;
  readIds(agentId: string): Promise<readonly string[]>;
  /** Whether the agent still has it; from then on nobody changes that before the transaction ends. */
  lock(trx: Trx, id: string, agent: LoadedAgent): Promise<boolean>;
  /** False when nobody would serve it better; then nothing happens. */
  move(trx: Trx, id: string, agent: LoadedAgent): Promise<boolean>;
}

export interface FailoverDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly liveness: LivenessTable;
  readonly hosted: Hosted;
  readonly autoSchedule: AgentAutoSchedule;
  /** Without NATS every agent is silent and none is dead. */
  readonly isConnected: () => boolean;
  readonly settings: FailoverSettings;
}

/** What a pass did: how many it moved, or why it did nothing. */
export type FailoverPass =
  | { readonly outcome: "passed" | "frozen"; readonly moved: number }
  | { readonly outcome: "paused" | "disconnected" | "not-the-leader" | "failed"; readonly moved: 0 };

const stuckMs = 60_000;

type Observed = LoadedAgent & ObservedAgent;
type Move = "moved" | "kept" | "lease-lost";

export class AgentFailover {
  readonly #deps: FailoverDeps;
  readonly #lease: JobLease;
  readonly #tickMs: number;
  /** What nobody could take over: not tried again before other agents are there or some time has passed. */
  #stuck = { candidates: "", untilMs: 0, moves: new Set<string>() };
  #isFrozen = false;
  #lastPassMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(deps: FailoverDeps) {
    this.#deps = deps;
    this.#lease = { name: deps.hosted.job, holder: randomUUID() };
    this.#tickMs = Math.max(50, Math.min(5000, deps.liveness.agentDownMs / 4));
  }

  start(): void {
    this.#timer = setInterval(() => void this.pass(), this.#tickMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
    await releaseJobLease(this.#deps.store.db, this.#lease).catch(() => {});
  }

  /** One look, after the one that runs. Never rejects: the next one tries again. */
  pass(): Promise<FailoverPass> {
    const pass = this.#running.then(async (): Promise<FailoverPass> => {
      try {
        return await this.#pass();
      } catch (err) {
        this.#deps.log.warn({ err }, "looking for dead agents failed");
        return { outcome: "failed", moved: 0 };
      }
    });
    this.#running = pass;
    return pass;
  }

  async #pass(): Promise<FailoverPass> {
    const { store, clock, liveness, log, isConnected, autoSchedule } = this.#deps;
    const now = clock.monotonicMs();
    const pausedMs = now - (this.#lastPassMs ?? now);
    this.#lastPassMs = now;
    if (pausedMs > liveness.agentDownMs) {
      // We were not there to hear anybody.
      log.warn({ ms: Math.round(pausedMs) }, "server was paused, agents are given time to be heard");
      liveness.listenAnew();
      return { outcome: "paused", moved: 0 };
    }
    if (!isConnected()) return { outcome: "disconnected", moved: 0 };
    const lease = { nowMs: clock.nowMs(), forMs: 3 * this.#tickMs };
    if (this.#isClosed || !(await takeJobLease(store.db, this.#lease, lease))) return { outcome: "not-the-leader", moved: 0 };
    const verdict = await this.#judge();
    this.#tellFreeze(verdict);
    if (verdict.isFrozen) return { outcome: "frozen", moved: 0 };
    const moved = await this.#moveAll(verdict.dead);
    await autoSchedule.round();
    return { outcome: "passed", moved };
  }

  async #judge(): Promise<SilenceVerdict<Observed>> {
    const { clock, hosted, liveness, settings } = this.#deps;
    const agents = await hosted.readAgents();
    const observed = agents.map((agent) => ({ ...agent, silentMs: liveness.silentMs(agent) }));
    const { agentDownMs } = liveness;
    const there = observed.filter(({ silentMs }) => silentMs < agentDownMs);
    const candidates = there.map(({ id }) => id).join();
    const now = clock.monotonicMs();
    if (candidates !== this.#stuck.candidates || now >= this.#stuck.untilMs)
      this.#stuck = { candidates, untilMs: now + stuckMs, moves: new Set() };
    return judgeSilence(observed, { agentDownMs, ...settings });
  }

  #tellFreeze({ isFrozen, silent }: SilenceVerdict<Observed>): void {
    if (isFrozen === this.#isFrozen) return;
    this.#isFrozen = isFrozen;
    const outcome = silent.map(({ host }) => host).join(" ");
    const { log, hosted } = this.#deps;
    if (isFrozen) log.warn({ outcome }, hosted.texts.frozen);
    else log.info({ outcome }, hosted.texts.thawed);
  }

  async #moveAll(dead: readonly Observed[]): Promise<number> {
    const { hosted, log, settings } = this.#deps;
    let left = Math.ceil((settings.failoverMovesPerSecond * this.#tickMs) / 1000);
    let moved = 0;
    for (const agent of dead) {
      const before = moved;
      for (const id of left > 0 ? await hosted.readIds(agent.id) : []) {
        const key = `${agent.id}/${id}`;
        if (left === 0 || this.#isClosed) break;
        if (this.#stuck.moves.has(key)) continue;
        left -= 1;
        const outcome = await this.#tryMove(id, agent);
        if (outcome === "lease-lost") return moved;
        if (outcome === "moved") moved += 1;
        else this.#stuck.moves.add(key);
      }
      if (moved > before) log.warn({ host: agent.host, outcome: moved - before }, hosted.texts.moved);
    }
    return moved;
  }

  /** What cannot be moved holds up nothing else. */
  async #tryMove(id: string, agent: Observed): Promise<Move | "failed"> {
    const { log, hosted } = this.#deps;
    try {
      return await this.#move(id, agent);
    } catch (err) {
      log.warn({ err, [hosted.idField]: id, host: agent.host }, hosted.texts.notMoved);
      return "failed";
    }
  }

  #move(id: string, agent: Observed): Promise<Move> {
    const { store, clock, liveness, hosted } = this.#deps;
    return store.transaction(async (trx) => {
      if (!(await holdsJobLease(trx, this.#lease, clock.nowMs()))) return "lease-lost";
      const isBound = await hosted.lock(trx, id, agent);
      // Unbound by somebody else, or its agent is back: both may have happened since the look.
      if (liveness.of(agent) !== "dead" || !isBound) return "kept";
      return (await hosted.move(trx, id, agent)) ? "moved" : "kept";
    });
  }
}
