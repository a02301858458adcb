// The agent's connection to NATS: as itself, with an inbox that nobody else may read.
import type { Logger } from "../base/logger.ts";
import { connectBus, type NatsBus } from "../messaging/nats-bus.ts";
import { inboxPrefix } from "../messaging/subjects.ts";

const firstConnectTimeoutMs = 10_000;

export interface AgentBusSettings {
  readonly host: string;
  readonly nats: { readonly url: string; readonly nkeySeedFile?: string | undefined };
}

/** Rejects with NetloomError UNAVAILABLE when the first connection does not come in time. */
export async function connectAgentBus({ host, nats }: AgentBusSettings, log: Logger): Promise<NatsBus> {
  const { url, nkeySeedFile } = nats;
  return connectBus({
    ...{ url, log, firstConnectTimeoutMs, inboxPrefix: inboxPrefix("dhcp", host), name: `dhcp-agent ${host}` },
    ...(nkeySeedFile === undefined ? {} : { nkeySeedFile }),
  });
}
