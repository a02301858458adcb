// Kills the agent, servers and the lease bus of a running netloom at random moments, and keeps what was down when.
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readProcess, sendSignal } from "../../src/linux/process-table.ts";
import { findProcessesOf } from "./instance.ts";
import type { NetloomUp } from "./netloom-up.ts";
import type { Random } from "./random.ts";
import { waitFor } from "./wait-for.ts";

const victims = ["agent", "dnsmasq", "dnsmasq", "dnsmasq", "bus"] as const;
type Victim = (typeof victims)[number];

/** By performance.now(). */
interface Span {
  readonly fromAt: number;
  toAt?: number;
}

interface Downtime extends Span {
  /** Of what was killed: it is listed for a moment still. */
  pid: number;
}

const overlaps = (one: Span, fromAt: number, toAt: number): boolean => one.fromAt <= toAt && (one.toAt ?? Infinity) >= fromAt;

const isOpen = ({ toAt }: Downtime): boolean => toAt === undefined;

/** One that is killed again before anybody saw it live has been down all the time. */
function begin(downtimes: Downtime[], pid: number): void {
  const open = downtimes.find(isOpen);
  if (open === undefined) downtimes.push({ pid, fromAt: performance.now() });
  else open.pid = pid;
}

function endAll(downtimes: readonly Downtime[]): void {
  for (const one of downtimes) one.toAt ??= performance.now();
}

/** What of it lies in this time. */
function cut(one: Span, fromAt: number, toAt: number): readonly Required<Span>[] {
  if (!overlaps(one, fromAt, toAt)) return [];
  return [{ fromAt: Math.max(one.fromAt, fromAt), toAt: Math.min(one.toAt ?? Infinity, toAt) }];
}

export class ChurnKills {
  readonly killed = { agent: 0, dnsmasq: 0, bus: 0 };
  readonly #up: NetloomUp;
  readonly #networkIds: readonly string[];
  readonly #random: Random;
  readonly #agent: Downtime[] = [];
  readonly #servers = new Map<string, Downtime[]>();

  constructor(up: NetloomUp, networkIds: readonly string[], random: Random) {
    this.#up = up;
    this.#networkIds = networkIds;
    this.#random = random;
  }

  /** Round after round, each in an order that the seed decides. */
  async run(isOver: () => boolean): Promise<void> {
    let waiting: Victim[] = [];
    while (!isOver()) {
      await delay(100 + this.#random.below(900));
      if (waiting.length === 0) waiting = [...victims];
      const [victim = "agent"] = waiting.splice(this.#random.below(waiting.length), 1);
      await this.#kill(victim);
    }
  }

  /**
   * For how long in this time the network's server and the agent that would start it again were dead together. Nobody can be
   * answered before an agent is there again, so a client's wait counts without it.
   */
  bothDownMs(networkId: string, fromAt: number, toAt: number): number {
    const servers = (this.#servers.get(networkId) ?? []).flatMap((one) => cut(one, fromAt, toAt));
    const both = servers.flatMap((server) => this.#agent.flatMap((agent) => cut(agent, server.fromAt, server.toAt)));
    return both.reduce((sum, span) => sum + span.toAt - span.fromAt, 0);
  }

  /** What was dead in this time, in milliseconds from its beginning. */
  describe(networkId: string, fromAt: number, toAt: number): string {
    const spans = (name: string, downtimes: readonly Downtime[]): readonly string[] =>
      downtimes
        .filter((one) => overlaps(one, fromAt, toAt))
        .map(
          (one) => `${name} dead from ${(one.fromAt - fromAt).toFixed(0)} to ${((one.toAt ?? Infinity) - fromAt).toFixed(0)}`,
        );
    return [...spans("server", this.#servers.get(networkId) ?? []), ...spans("agent", this.#agent)].join(", ");
  }

  /** Looks when what was killed is there again, until all is; rejects when something is not long after it is over. */
  async follow(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#look();
      await delay(50);
    }
    const isAllThere = async (): Promise<boolean> => {
      await this.#look();
      return ![this.#agent, ...this.#servers.values()].flat().some(isOpen);
    };
    await waitFor(isAllThere, { limitMs: 30_000, everyMs: 50, what: "all that was killed to be there again" });
  }

  async #look(): Promise<void> {
    await this.#endIfFollowed("agent", "", this.#agent);
    for (const [id, downtimes] of this.#servers) await this.#endIfFollowed("dnsmasq", id, downtimes);
  }

  async #kill(victim: Victim): Promise<void> {
    const id = this.#random.pick(this.#networkIds);
    const pid = await this.#find(victim, id);
    const found = pid === undefined ? undefined : readProcess(pid);
    // It may have ended by itself.
    if (found === undefined || !sendSignal(found, "SIGKILL")) return;
    if (victim === "agent") begin(this.#agent, found.pid);
    if (victim === "dnsmasq") {
      const downtimes = this.#servers.get(id) ?? [];
      begin(downtimes, found.pid);
      this.#servers.set(id, downtimes);
    }
    this.killed[victim] += 1;
  }

  async #find(victim: Victim, networkId: string): Promise<number | undefined> {
    if (victim === "agent") return this.#up.findProgram("dhcp-agent");
    if (victim === "bus") return (await findProcessesOf(this.#up.stateDir, "dbus-daemon"))[0];
    return this.#serverOf(networkId);
  }

  /** When another one runs in the place of what was killed. */
  async #endIfFollowed(victim: Victim, networkId: string, downtimes: readonly Downtime[]): Promise<void> {
    const open = downtimes.find(isOpen);
    if (open === undefined) return;
    const { pid } = open;
    const found = await this.#find(victim, networkId);
    if (found === undefined || found === pid || (victim === "agent" && !(await this.#isAgentReady()))) return;
    // Unless that one was killed in the meantime.
    if (open.pid === pid) endAll(downtimes);
  }

  async #serverOf(networkId: string): Promise<number | undefined> {
    const pid = Number(await readFile(path.join(this.#up.stateDir, "dhcp", networkId, "pid"), "utf8").catch(() => "0"));
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return argv.includes(networkId) ? pid : undefined;
  }

  async #isAgentReady(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socketPath = path.join(this.#up.stateDir, "run", "dhcp-agent.sock");
    const request = http.get({ socketPath, path: "/readyz" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => resolve(false));
    return promise;
  }
}
