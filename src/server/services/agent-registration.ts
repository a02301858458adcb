// Agents make themselves known: by the first sync of each process, and by being who the broker says that they are.
import type { Clock } from "../../base/clock.ts";
import { NetloomError } from "../../base/errors.ts";
import type { AgentDescription } from "../../types/agent-messages.ts";
import { type AgentRow, findAgentByToken, registerAgent } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import type { LivenessTable } from "./liveness.ts";

export interface AgentRegistrationDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly liveness: LivenessTable;
  /** Whether an agent that is new here starts switched on. */
  readonly enableNewAgents?: boolean;
}

export interface Registered {
  readonly agent: AgentRow;
  /** It may lack what it should have; one that only lost its connection for a moment does not. */
  readonly isFresh: boolean;
}

export class AgentRegistration {
  readonly #deps: AgentRegistrationDeps;

  constructor(deps: AgentRegistrationDeps) {
    this.#deps = deps;
  }

  /** @param since of its sync: 0 at the first one of a process */
  async register(
    role: string,
    { agent: description, since }: { readonly agent: AgentDescription; readonly since: number },
  ): Promise<Registered> {
    const { store, clock, liveness, enableNewAgents: isEnabled } = this.#deps;
    const { host } = description;
    const { isRevived } = liveness.heard({ role, host });
    return store.transaction(async (trx) => {
      const namesake = await findAgentByToken(trx, role, host.toLowerCase().replaceAll(".", "_"));
      if (namesake !== undefined && namesake.host !== host) {
        throw new NetloomError("CONFLICT", `host ${host} cannot be told from ${namesake.host}, which is registered`);
      }
      const phase = since === 0 ? "starting" : "syncing";
      const registration = { role, description, phase, heartbeatAtMs: clock.nowMs(), isEnabled };
      const agent = await registerAgent(trx, registration);
      return { agent, isFresh: since === 0 || namesake === undefined || isRevived };
    });
  }

  /** The agent that speaks. UNAVAILABLE and not NOT_FOUND: its next heartbeat registers it, and what it asks then is right. */
  async requireAgent(role: string, token: string): Promise<AgentRow> {
    const agent = await findAgentByToken(this.#deps.store.db, role, token);
    if (agent === undefined) throw new NetloomError("UNAVAILABLE", `no ${role} agent is registered for ${token}`);
    return agent;
  }
}
