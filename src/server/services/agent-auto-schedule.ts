// Networks that have fewer agents than they should: given out when an agent comes, and from time to time to those that can.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { readUnderhosted } from "../store/network-needs.ts";

/** More than these an agent that comes does not wait for; the rest follows as events. */
const maxAtOnce = 100;
/** Networks of one transaction: few enough for others to get their turn. */
const perTransaction = 20;

export class AgentAutoSchedule {
  readonly #store: Store;
  readonly #scheduler: DhcpScheduler;
  /** Where the next look begins, so that networks that nobody can take do not hide those behind them. */
  #after = "";
  #running: Promise<readonly string[]> | undefined;
  #waiting: Promise<readonly string[]> | undefined;

  constructor(store: Store, scheduler: DhcpScheduler) {
    this.#store = store;
    this.#scheduler = scheduler;
  }

  /** For an agent whose row is committed and that was just heard of. It is one of the candidates, no more. */
  async forAgent(agent: AgentRow): Promise<void> {
    if (agent.role !== "dhcp" || agent.admin_state_up !== 1) return;
    await this.#place(await this.#readSoon());
  }

  /** A look at the next networks in need, in the order of their ids and around again. */
  async round(): Promise<void> {
    const wanted = this.#scheduler.agentsPerNetwork;
    const found = await readUnderhosted(this.#store.db, { wanted, after: this.#after, limit: maxAtOnce });
    this.#after = found.length < maxAtOnce ? "" : (found.at(-1) ?? "");
    await this.#place(found);
  }

  async #place(networkIds: readonly string[]): Promise<void> {
    for (let at = 0; at < networkIds.length; at += perTransaction) {
      const some = networkIds.slice(at, at + perTransaction);
      await this.#store.transaction((trx) => this.#scheduler.scheduleNetworks(trx, some));
      // A transaction of SQLite never leaves the thread.
      await nextTurn();
    }
  }

  /** A read that begins after this call. Agents that all come back together share it: each waits for the next one at most. */
  #readSoon(): Promise<readonly string[]> {
    if (this.#running === undefined) return this.#read();
    this.#waiting ??= this.#running.then(
      () => this.#read(),
      () => this.#read(),
    );
    return this.#waiting;
  }

  #read(): Promise<readonly string[]> {
    this.#waiting = undefined;
    const reading = readUnderhosted(this.#store.db, { wanted: this.#scheduler.agentsPerNetwork, limit: maxAtOnce });
    this.#running = reading.finally(() => {
      if (this.#running === kept) this.#running = undefined;
    });
    const kept = this.#running;
    return kept;
  }
}
