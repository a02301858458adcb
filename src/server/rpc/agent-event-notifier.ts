// Tells operators what agents report of their hosts: one log line each, and `nl.notify.agent.<event>` for whoever listens.
import { formatTimestamp } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Bus } from "../../messaging/bus.ts";
import { agentNotifySubject } from "../../messaging/subjects.ts";
import type { AgentEvent } from "../../types/agent-messages.ts";

export interface AgentEventNotifierDeps {
  readonly bus: Pick<Bus, "publish">;
  readonly log: Logger;
}

export class AgentEventNotifier {
  readonly #deps: AgentEventNotifierDeps;

  constructor(deps: AgentEventNotifierDeps) {
    this.#deps = deps;
  }

  /** @param agent who reports; `events` are of networks that it hosts */
  tell(agent: { readonly id: string; readonly host: string }, events: readonly AgentEvent[]): void {
    const { bus, log } = this.#deps;
    for (const { kind, networkId, atMs } of events) {
      log.warn({ agent: agent.id, host: agent.host, networkId, outcome: kind }, "agent reported an event");
      try {
        const event = { event: kind, agent_id: agent.id, host: agent.host, network_id: networkId, at: formatTimestamp(atMs) };
        bus.publish(agentNotifySubject(kind), { events: [event] });
      } catch (err) {
        log.debug({ err, networkId }, "agent notification not sent");
      }
    }
  }
}
