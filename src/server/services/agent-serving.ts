// What an agent is told that stops serving when nobody hears it: how long ago it was heard, and whether anybody could have
// been given its networks since.
import type { ServingReply } from "../../types/agent-serving.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import type { LivenessTable } from "./liveness.ts";

export interface AgentServingDeps {
  readonly store: Store;
  readonly liveness: LivenessTable;
  /** When networks are taken from a silent agent. */
  readonly settings: { readonly failoverAfterMs: number; readonly failoverMovesPerSecond: number };
}

export class AgentServing {
  readonly #deps: AgentServingDeps;

  constructor(deps: AgentServingDeps) {
    this.#deps = deps;
  }

  /** Changes nothing: that it asks is no sign of life, its heartbeats are. */
  async renew(agent: AgentRow): Promise<ServingReply> {
    const { store, liveness, settings } = this.#deps;
    // Also those that are silent or switched off: they may come back while the one who asks is cut off.
    const { others } = await store.db
      .selectFrom("agents")
      .select((eb) => eb.fn.countAll().as("others"))
      .where("role", "=", agent.role)
      .where("id", "!=", agent.id)
      .executeTakeFirstOrThrow();
    return {
      silentMs: liveness.silentMs(agent),
      others: Number(others),
      movesAfterMs: settings.failoverMovesPerSecond === 0 ? null : settings.failoverAfterMs,
    };
  }
}
