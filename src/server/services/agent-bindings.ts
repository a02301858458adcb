// Taking a network from an agent: the binding goes, the removal waits in the agent's stream, and the DHCP port is kept for
// whoever serves the network next, so that the address of its DHCP and DNS stays.
import { networkId as toNetworkId } from "../../model/ids.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { type AgentRow, unbindNetwork } from "../store/agent-rows.ts";
import type { Trx } from "../store/database.ts";
import { lockBindings, recordItemsForHost } from "../store/outbox.ts";
import { deleteItem } from "../store/stream-items.ts";
import { reserveDhcpPort } from "./dhcp-port-claims.ts";
import type { ServiceDeps } from "./service-deps.ts";

/**
 * False when it was not bound; then nothing happens. The agent hears of nothing but the removal: it is unbound before its
 * port is touched, or it would answer the change of its port by claiming it back.
 */
export async function unbindAgent(
  trx: Trx,
  deps: ServiceDeps,
  { networkId, agent }: { readonly networkId: string; readonly agent: AgentRow },
): Promise<boolean> {
  await lockBindings(trx, networkId, "exclusive");
  if (!(await unbindNetwork(trx, networkId, agent.id))) return false;
  await recordItemsForHost(trx, agent, await goneItems(trx, networkId));
  await reserveDhcpPort(trx, deps, { networkId: toNetworkId(networkId), host: agent.host });
  return true;
}

/** What a host is told whose agent is to serve the network no longer. */
export async function goneItems(trx: Trx, networkId: string): Promise<readonly StreamItem[]> {
  const network = await trx.selectFrom("networks").select("revision_number").where("id", "=", networkId).executeTakeFirst();
  return network === undefined ? [] : [deleteItem("network", networkId, networkId, network.revision_number)];
}
