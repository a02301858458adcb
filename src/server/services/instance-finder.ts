// Whose address asks for metadata through a router: the agent of a router does not know the ports of its networks.
import { addressKey, canonicalAddress, eui64Address, formatAddress, parseAddress, parseCidr } from "../../model/addresses.ts";
import type { NetworkView } from "../../model/network.ts";
import type { FindInstanceReply, FindInstanceRequest } from "../../types/l3-messages.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { readRouterBindings } from "../store/router-hosts.ts";
import type { PortRow } from "../store/rows.ts";
import { networkModel, portModel, subnetModel } from "../store/stream-items.ts";
import { withAddresses } from "./port-rows.ts";

const linkLocal = parseCidr("fe80::/64");

export class InstanceFinder {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Nothing when the router is not this agent's. */
  async find(agent: AgentRow, { routerId, ipAddress }: FindInstanceRequest): Promise<FindInstanceReply> {
    const { db } = this.#store;
    const bindings = await readRouterBindings(db, routerId);
    if (!bindings.some(({ agentId }) => agentId === agent.id)) return { views: [] };
    const found = await this.#matching(routerId, ipAddress);
    const views = await Promise.all(found.map((port) => this.#view(port)));
    // The cast: the arrays in the type of a message are not readonly.
    return { views: views.flatMap((view) => view ?? []) } as FindInstanceReply;
  }

  async #networksOf(routerId: string): Promise<readonly string[]> {
    const rows = await this.#store.db
      .selectFrom("router_ports")
      .innerJoin("ports", "ports.id", "router_ports.port_id")
      .select("ports.network_id")
      .distinct()
      .where("router_ports.router_id", "=", routerId)
      .where("router_ports.kind", "=", "interface")
      .execute();
    return rows.map((row) => row.network_id);
  }

  async #matching(routerId: string, text: string): Promise<readonly PortRow[]> {
    const networkIds = await this.#networksOf(routerId);
    const address = parseAddress(text);
    if (address === undefined || networkIds.length === 0) return [];
    const ports = this.#store.db
      .selectFrom("ports")
      .selectAll("ports")
      .where("ports.network_id", "in", networkIds)
      .where("ports.device_owner", "not like", "network:%")
      .orderBy("ports.id");
    const exact = await ports
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom("fixed_ips")
            .select("position")
            .whereRef("fixed_ips.port_id", "=", "ports.id")
            .where("fixed_ips.ip_key", "=", addressKey(address)),
        ),
      )
      .execute();
    if (exact.length > 0 || linkLocal === undefined || !text.toLowerCase().startsWith("fe80:")) return exact;
    const wanted = canonicalAddress(text);
    const trusted = new Set(await this.#trustedNetworksOf(routerId, networkIds));
    return (await ports.execute()).filter(
      (port) => trusted.has(port.network_id) && formatAddress(eui64Address(linkLocal, port.mac_address)) === wanted,
    );
  }

  /**
   * Where a link-local address says enough. Anybody on any network of a router may take one, and hears the answer on his own; so
   * that he learns nothing of others, it only counts where all are the router's owner's, or where there is one network.
   */
  async #trustedNetworksOf(routerId: string, networkIds: readonly string[]): Promise<readonly string[]> {
    if (networkIds.length === 1) return networkIds;
    const rows = await this.#store.db
      .selectFrom("networks")
      .innerJoin("routers", "routers.project_id", "networks.project_id")
      .select("networks.id")
      .where("routers.id", "=", routerId)
      .where("networks.id", "in", networkIds)
      .execute();
    return rows.map((row) => row.id);
  }

  /** The port first, then the others of the same instance. */
  async #view(port: PortRow): Promise<NetworkView | undefined> {
    const { db } = this.#store;
    const network = await db.selectFrom("networks").selectAll().where("id", "=", port.network_id).executeTakeFirst();
    if (network === undefined) return undefined;
    const others =
      port.device_id === ""
        ? []
        : await db
            .selectFrom("ports")
            .selectAll()
            .where("network_id", "=", port.network_id)
            .where("device_id", "=", port.device_id)
            .where("project_id", "=", port.project_id)
            .where("id", "!=", port.id)
            .execute();
    const ports = await withAddresses(db, [port, ...others]);
    const subnets = (
      await db.selectFrom("subnets").selectAll().where("network_id", "=", network.id).orderBy("id").execute()
    ).map(subnetModel);
    return { network: networkModel(network), subnets, ports: ports.map(({ row, fixedIps }) => portModel(row, fixedIps)) };
  }
}
