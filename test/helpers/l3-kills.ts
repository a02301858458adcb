// Kills what serves routers and floating IPs of a running netloom at random moments: agents, the bus, and the VRRP processes of
// routers of high availability.
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { readAgentPage } from "./agent-page.ts";
import { findProcessesOf } from "./instance.ts";
import type { NetloomUp } from "./netloom-up.ts";
import type { Random } from "./random.ts";

const victims = ["l3-agent", "floating-ip-agent", "nats-server", "keepalived"] as const;
type Victim = (typeof victims)[number];

/** By performance.now(). */
export interface Span {
  readonly fromAt: number;
  readonly toAt: number;
}

/** An agent that lives looks every 2 s, starts it anew, and after three to four advertisements somebody is elected. */
const electionMs = 6000;

export class L3Kills {
  readonly killed: Record<Victim, number> = { "l3-agent": 0, "floating-ip-agent": 0, "nats-server": 0, keepalived: 0 };
  readonly #up: NetloomUp;
  readonly #random: Random;
  /** When a router's VRRP process was killed. */
  readonly #shaken: { readonly routerId: string; readonly atMs: number }[] = [];
  readonly #withoutAgent: { readonly fromAt: number; toAt: number }[] = [];

  constructor(up: NetloomUp, random: Random) {
    this.#up = up;
    this.#random = random;
  }

  /** Round after round, each in an order that the seed decides; what is just dead is left out. */
  async run(isOver: () => boolean): Promise<void> {
    let waiting: Victim[] = [];
    while (!isOver()) {
      await delay(200 + this.#random.below(1000));
      if (waiting.length === 0) waiting = [...victims];
      const [victim = "l3-agent"] = waiting.splice(this.#random.below(waiting.length), 1);
      const pid = await this.#find(victim);
      if (pid === undefined || isOver()) continue;
      if (victim === "keepalived") await this.#noteRouter(pid);
      process.kill(pid, "SIGKILL");
      this.killed[victim] += 1;
      if (victim === "l3-agent") this.#withoutAgent.push({ fromAt: performance.now(), toAt: Infinity });
    }
  }

  /** Looks when the L3 agent, which starts VRRP processes again, is there again. */
  async follow(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const last = this.#withoutAgent.at(-1);
      if (last?.toAt === Infinity && (await this.#isAgentReady())) {
        const now = performance.now();
        for (const span of this.#withoutAgent) span.toAt = Math.min(span.toAt, now);
      }
      await delay(50);
    }
  }

  /** Times in which nobody may have forwarded for the router, because its VRRP process had been killed. */
  electionsOf(routerId: string): readonly Span[] {
    const own = this.#shaken.filter((one) => one.routerId === routerId);
    return own.map(({ atMs }) => {
      let toAt = atMs + electionMs;
      for (const agent of this.#withoutAgent) {
        if (agent.fromAt < toAt && agent.toAt > atMs) toAt = Math.max(toAt, agent.toAt + electionMs);
      }
      return { fromAt: atMs, toAt };
    });
  }

  async #find(victim: Victim): Promise<number | undefined> {
    if (victim !== "keepalived") return this.#up.findProgram(victim);
    // Parents and workers alike.
    const pids = await findProcessesOf(this.#up.stateDir, "keepalived");
    return pids.length === 0 ? undefined : this.#random.pick(pids);
  }

  async #noteRouter(pid: number): Promise<void> {
    const [, routerId = ""] = /\/l3\/ha\/([0-9a-f-]{36})\//.exec(await readFile(`/proc/${pid}/cmdline`, "utf8")) ?? [];
    this.#shaken.push({ routerId, atMs: performance.now() });
  }

  async #isAgentReady(): Promise<boolean> {
    const page = await readAgentPage(this.#up.stateDir, "l3-agent", "status").catch(() => "{}");
    // The cast: the agent's own page.
    return (JSON.parse(page) as { readonly phase?: string }).phase === "ready";
  }
}
