// The agent's connection to NATS: as itself, with an inbox that nobody else may read.
import type { Logger } from "../base/logger.ts";
import { connectBus, type NatsBus } from "../messaging/nats-bus.ts";
import { inboxPrefix, type Role } from "../messaging/subjects.ts";

const firstConnectTimeoutMs = 10_000;

export interface AgentBusSettings {
  readonly host: string;
  readonly nats: { readonly url: string; readonly nkeySeedFile?: string | undefined };
}

export interface AgentIdentity {
  readonly role: Role;
  /** For the lists of nats-server: `l3-agent` and the like. */
  readonly program: string;
}

/**
 * @param identity whose subjects and inbox it may use; the DHCP agent's unless told otherwise
 *
 * Rejects with NetloomError UNAVAILABLE when the first connection does not come in time.
 */
export async function connectAgentBus(
  { host, nats }: AgentBusSettings,
  log: Logger,
  { role, program }: AgentIdentity = { role: "dhcp", program: "dhcp-agent" },
): Promise<NatsBus> {
  const { url, nkeySeedFile } = nats;
  return connectBus({
    ...{ url, log, firstConnectTimeoutMs, inboxPrefix: inboxPrefix(role, host), name: `${program} ${host}` },
    ...(nkeySeedFile === undefined ? {} : { nkeySeedFile }),
  });
}
