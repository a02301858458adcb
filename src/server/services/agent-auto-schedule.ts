// What has fewer agents than it should (networks, routers): given out when an agent comes, and from time to time to those
// that can.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";

/** What agents of one role are given. */
export interface Placement {
  readonly role: string;
  /** In need, in the order of their ids, after `after`. */
  readNeedy(page: { readonly after?: string; readonly limit: number }): Promise<readonly string[]>;
  place(trx: Trx, ids: readonly string[]): Promise<unknown>;
}

/** More than these an agent that comes does not wait for; the rest follows as events. */
const maxAtOnce = 100;
/** Of one transaction: few enough for others to get their turn. */
const perTransaction = 20;

export class AgentAutoSchedule {
  readonly #store: Store;
  readonly #placement: Placement;
  /** Where the next look begins, so that what nobody can take does not hide what is behind it. */
  #after = "";
  #running: Promise<readonly string[]> | undefined;
  #waiting: Promise<readonly string[]> | undefined;

  constructor(store: Store, placement: Placement) {
    this.#store = store;
    this.#placement = placement;
  }

  /** For an agent whose row is committed and that was just heard of. It is one of the candidates, no more. */
  async forAgent(agent: AgentRow): Promise<void> {
    if (agent.role !== this.#placement.role || agent.admin_state_up !== 1) return;
    await this.#place(await this.#readSoon());
  }

  /** A look at the next ones in need, in the order of their ids and around again. */
  async round(): Promise<void> {
    const found = await this.#placement.readNeedy({ after: this.#after, limit: maxAtOnce });
    this.#after = found.length < maxAtOnce ? "" : (found.at(-1) ?? "");
    await this.#place(found);
  }

  async #place(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += perTransaction) {
      const some = ids.slice(at, at + perTransaction);
      await this.#store.transaction((trx) => this.#placement.place(trx, some));
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
    const reading = this.#placement.readNeedy({ limit: maxAtOnce });
    this.#running = reading.finally(() => {
      if (this.#running === kept) this.#running = undefined;
    });
    const kept = this.#running;
    return kept;
  }
}
