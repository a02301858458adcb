// What services tell agents, and who is asked to serve: with a word in the log where nobody will hear or do it.
import type { Logger } from "../../base/logger.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import type { L3Scheduler } from "../scheduler/l3-scheduler.ts";
import type { Trx } from "../store/database.ts";
import { hasClients } from "../store/network-needs.ts";
import { type Receiver, recordItems } from "../store/outbox.ts";
import type { LivenessTable } from "./liveness.ts";
import type { ServiceEvents } from "./service-deps.ts";

export interface AgentEventsDeps {
  readonly scheduler: DhcpScheduler;
  readonly l3?: L3Scheduler;
  readonly liveness: LivenessTable;
  readonly log: Logger;
  readonly servesDisabled: boolean;
}

/** So that a network in trouble costs one line, not one for each of its ports. */
const maxRemembered = 10_000;

export class AgentEvents implements ServiceEvents {
  readonly #deps: AgentEventsDeps;
  readonly #silent = new Set<string>();
  readonly #unserved = new Set<string>();
  readonly #unhosted = new Set<string>();

  constructor(deps: AgentEventsDeps) {
    this.#deps = deps;
  }

  async recordItems(trx: Trx, networkId: string, items: readonly StreamItem[]): Promise<readonly Receiver[]> {
    if (items.length === 0) return [];
    const { liveness, log, servesDisabled } = this.#deps;
    const agents = await recordItems(trx, networkId, items, servesDisabled);
    const isSilent = agents.length > 0 && agents.every((agent) => liveness.of(agent) === "dead");
    // They are told all the same: it waits for them.
    if (isNews(this.#silent, networkId, isSilent)) log.warn({ networkId }, "all agents of a network are silent");
    return agents;
  }

  async scheduleNetwork(trx: Trx, networkId: string, receivers?: number): Promise<void> {
    const hosts = await this.#deps.scheduler.scheduleNetwork(trx, networkId, receivers);
    // What was said once is not looked up again for each new port.
    const isUnserved = hosts === 0 && (this.#unserved.has(networkId) || (await hasClients(trx, networkId)));
    if (isNews(this.#unserved, networkId, isUnserved))
      this.#deps.log.error({ networkId }, "no agent can serve a network with ports");
  }

  async scheduleRouter(trx: Trx, routerId: string): Promise<void> {
    const hosts = await this.#deps.l3?.scheduleRouter(trx, routerId);
    if (isNews(this.#unhosted, routerId, hosts === 0)) this.#deps.log.warn({ routerId }, "no agent can serve a router");
  }
}

/** True when `isSo` holds and did not before. */
function isNews(known: Set<string>, id: string, isSo: boolean): boolean {
  if (!isSo) {
    known.delete(id);
    return false;
  }
  if (known.has(id)) return false;
  if (known.size >= maxRemembered) known.clear();
  known.add(id);
  return true;
}
