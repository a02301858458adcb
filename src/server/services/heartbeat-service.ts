// Heartbeats: merged in memory and written every few seconds in one transaction, so that a thousand agents cost the
// database no more than one. A heartbeat also shows whether its agent has missed something.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { networkId } from "../../model/ids.ts";
import type { ControlMessage, Heartbeat } from "../../types/agent-messages.ts";
import { type AgentRow, findAgent, registerAgent, writeBeats } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { readHead, type StreamKey } from "../store/outbox.ts";
import { readLostNetworkIds } from "./agent-losses.ts";
import { HeartbeatOrder } from "./heartbeat-order.ts";
import { readLostRouterIds } from "./l3-losses.ts";
import type { LivenessTable } from "./liveness.ts";

export interface HeartbeatDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly epoch: string;
  readonly liveness: LivenessTable;
  /** Tells one agent; a lost message is told again after its next heartbeat. */
  readonly control: (stream: StreamKey, message: ControlMessage) => void;
  /** Head of a stream as it was a moment ago; spares a look for each heartbeat of an agent that has seen all. */
  readonly recentHead?: (stream: StreamKey) => number | undefined;
  readonly flushMs?: number;
  /** Whether an agent that is new here starts switched on. */
  readonly enableNewAgents?: boolean;
}

interface Heard {
  readonly role: string;
  readonly heartbeat: Heartbeat;
  readonly atMs: number;
}

/** An agent is behind when it has not seen a row this long after it was written. */
const lagLimitMs = 2000;

export class HeartbeatService {
  readonly #deps: HeartbeatDeps;
  readonly #unwritten = new Map<string, Heard>();
  readonly #order: HeartbeatOrder;
  readonly #seen = new Map<string, StreamKey & { readonly upTo: number }>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
    this.#order = new HeartbeatOrder({ clock: deps.clock, log: deps.log, maxSkewMs: deps.liveness.agentDownMs });
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#deps.flushMs ?? 5000);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** How far each agent is, by its own words; for pruning. */
  seen(): readonly (StreamKey & { readonly upTo: number })[] {
    return [...this.#seen.values()];
  }

  async receive(role: string, heartbeat: Heartbeat): Promise<void> {
    const { liveness, clock, log } = this.#deps;
    const { host } = heartbeat.agent;
    const key = `${role}\0${host}`;
    const order = this.#order.judge(key, heartbeat);
    if (order === "stale") return;
    const { isRevived } = liveness.heard({ role, host });
    this.#unwritten.set(key, { role, heartbeat, atMs: clock.nowMs() });
    // A process that is new, and one that others took for dead, are written at once: schedulers look at the rows.
    if (order === "new-boot" || isRevived) await this.flush();
    if (isRevived) {
      log.info({ agent: role, host }, "agent is back");
      return this.#tellRevived({ role, host }, heartbeat);
    }
    await this.#checkLag({ role, host }, heartbeat);
  }

  /** Others may serve its networks or routers by now: it is told which, and to sync, whatever it says that it has seen. */
  async #tellRevived(stream: StreamKey, { seen }: Heartbeat): Promise<void> {
    const { store, control, epoch } = this.#deps;
    const agent = await findAgent(store.db, stream.role, stream.host);
    const lost = agent !== undefined && seen.epoch === epoch ? await readLost(store, agent, seen.seq) : {};
    control(stream, { action: "resync", reason: "revived", ...lost });
  }

  /** Writes what was heard since the last time; a failure keeps it for the next. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(async () => {
      const heard = [...this.#unwritten.values()];
      if (heard.length === 0) return;
      this.#unwritten.clear();
      try {
        const unknown = await this.#deps.store.transaction((trx) => writeHeartbeats(trx, heard, this.#deps.enableNewAgents));
        // Removed by an administrator while it lived: it is registered again, with nothing to host until it asks.
        for (const { role, host } of unknown)
          this.#deps.control({ role, host }, { action: "resync", reason: "registered anew" });
      } catch (err) {
        for (const one of heard) {
          const key = `${one.role}\0${one.heartbeat.agent.host}`;
          if (!this.#unwritten.has(key)) this.#unwritten.set(key, one);
        }
        this.#deps.log.warn({ err }, "heartbeats not stored");
      }
    });
    return this.#flushing;
  }

  async #checkLag(stream: StreamKey, { phase, seen }: Heartbeat): Promise<void> {
    // While it starts or syncs it is on its way, and telling it to start over would only delay it.
    if (phase !== "ready") return;
    const { epoch, store, control } = this.#deps;
    if (seen.epoch !== epoch) return control(stream, { action: "resync", reason: "another epoch" });
    this.#seen.set(`${stream.role}\0${stream.host}`, { ...stream, upTo: seen.seq });
    // What came since is too young to be missed.
    if (this.#deps.recentHead?.(stream) === seen.seq) return;
    const head = await readHead(store.db, stream);
    if (seen.seq === head) return;
    const next = await store.db
      .selectFrom("outbox")
      .select("created_at")
      .where("role", "=", stream.role)
      .where("host", "=", stream.host)
      .where("seq", "=", seen.seq + 1)
      .executeTakeFirst();
    const isFresh = next !== undefined && this.#deps.clock.nowMs() - Date.parse(next.created_at) <= lagLimitMs;
    if (isFresh) return;
    control(stream, { action: "resync", reason: `seen ${seen.seq} of ${head}` });
  }
}

async function readLost(
  { db }: Store,
  agent: AgentRow,
  seen: number,
): Promise<Pick<ControlMessage, "lostNetworkIds" | "lostRouterIds">> {
  if (agent.role === "l3") {
    const lostRouterIds = [...(await readLostRouterIds(db, agent, seen))];
    return lostRouterIds.length === 0 ? {} : { lostRouterIds };
  }
  const lostNetworkIds = agent.role === "dhcp" ? (await readLostNetworkIds(db, agent, seen)).map(networkId) : [];
  return lostNetworkIds.length === 0 ? {} : { lostNetworkIds };
}

/** Answers the agents that had no row. */
async function writeHeartbeats(
  trx: Trx,
  heard: readonly Heard[],
  isEnabled: boolean | undefined,
): Promise<readonly StreamKey[]> {
  const beats = heard.map(({ role, heartbeat, atMs }) => ({
    role,
    host: heartbeat.agent.host,
    phase: heartbeat.phase,
    bootId: heartbeat.agent.bootId,
    configurations: configurations(heartbeat),
    atMs,
    agent: heartbeat.agent,
  }));
  const unknown = await writeBeats(trx, beats);
  for (const { role, agent, configurations: said, phase, atMs } of unknown) {
    const description = { ...agent, configurations: said };
    await registerAgent(trx, { role, description, phase, heartbeatAtMs: atMs, isEnabled });
  }
  return unknown;
}

const configurations = ({ agent, load }: Heartbeat): Readonly<Record<string, unknown>> => ({
  ...agent.configurations,
  networks: load.networks,
  subnets: load.subnets,
  ports: load.ports,
  ...(load.routers === undefined ? {} : { routers: load.routers }),
  ...(load.floatingIps === undefined ? {} : { floating_ips: load.floatingIps }),
});
