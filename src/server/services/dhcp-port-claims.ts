// The DHCP agent's own port: each host has one on each network that it serves, with an address on every subnet with DHCP.
import { NetloomError } from "../../base/errors.ts";
import { deviceOwners, dhcpDeviceId, reservedDhcpDeviceId } from "../../model/device-names.ts";
import type { NetworkId, SubnetId } from "../../model/ids.ts";
import type { Port } from "../../model/network.ts";
import type { ClaimPortRequest } from "../../types/agent-messages.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { type AgentRow, lockBinding } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { lockBindings } from "../store/outbox.ts";
import { hasRowLocks } from "../store/rows.ts";
import { createPortInTransaction, removePortInTransaction, updatePortInTransaction } from "./port-service.ts";
import type { ServiceDeps } from "./service-deps.ts";

export interface ClaimedPort {
  readonly port: Port;
  /** Asked subnets on which there was no address. */
  readonly fullSubnetIds: readonly SubnetId[];
}

export class DhcpPortClaims {
  readonly #deps: ServiceDeps;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
  }

  get #store(): Store {
    return this.#deps.store;
  }

  /**
   * The host's port with exactly one address on each asked subnet that has one left: the port that it has, a reserved one that
   * another host left, or a new one. `undefined` when the network or a subnet is gone or no longer has DHCP; CONFLICT when no
   * asked subnet has an address left. Repeating it changes nothing.
   */
  async claim(agent: AgentRow, { networkId, subnetIds }: ClaimPortRequest): Promise<ClaimedPort | undefined> {
    try {
      return await this.#claimWhatThereIs(agent, networkId, subnetIds);
    } catch (thrown) {
      if (!(thrown instanceof ApiFault)) throw thrown;
      if (thrown.type === "NetworkNotFound" || thrown.type === "SubnetNotFound") return undefined;
      if (thrown.type !== "IpAddressGenerationFailure") throw thrown;
      throw new NetloomError("CONFLICT", `no address is left for the DHCP port of network ${networkId}`, { networkId }, thrown);
    }
  }

  /** A subnet that is full costs only itself: the others are tried again without it, in a transaction of its own. */
  async #claimWhatThereIs(
    agent: AgentRow,
    networkId: NetworkId,
    subnetIds: readonly SubnetId[],
  ): Promise<ClaimedPort | undefined> {
    const full = new Set<string>();
    for (;;) {
      const wanted = subnetIds.filter((id) => !full.has(id));
      try {
        const port = await this.#claimAgain(agent, { networkId, subnetIds: wanted });
        return port === undefined ? undefined : { port, fullSubnetIds: subnetIds.filter((id) => full.has(id)) };
      } catch (thrown) {
        const found = thrown instanceof ApiFault ? wanted.filter((id) => thrown.subnetIds.includes(id)) : [];
        if (found.length === 0 || found.length === wanted.length) throw thrown;
        for (const id of found) full.add(id);
      }
    }
  }

  /** A port that is deleted between our look and our change is as good as none: the next look makes another. */
  async #claimAgain(agent: AgentRow, request: ClaimPortRequest, attempts = 3): Promise<Port | undefined> {
    try {
      return await this.#store.transaction((trx) => this.#claim(trx, agent, request));
    } catch (thrown) {
      if (attempts === 1 || !(thrown instanceof ApiFault && thrown.type === "PortNotFound")) throw thrown;
      return this.#claimAgain(agent, request, attempts - 1);
    }
  }

  /** Absent is success. */
  async release(agent: AgentRow, networkId: NetworkId): Promise<void> {
    await this.#store.transaction(async (trx) => {
      for (const id of await findOwnPorts(trx, networkId, agent.host)) {
        await unlessGone(removePortInTransaction(trx, this.#deps, id));
      }
    });
  }

  async #claim(trx: Trx, agent: AgentRow, { networkId, subnetIds }: ClaimPortRequest): Promise<Port | undefined> {
    // The network first, as everywhere: its subnets stay while we work, and nobody moves it to another host.
    await lockBindings(trx, networkId, "share");
    // The binding's row is the lock: a repeated claim of this host waits here, nobody else does.
    const isBound = await lockBinding(trx, networkId, agent.id);
    if (!isBound) {
      const network = await trx.selectFrom("networks").select("id").where("id", "=", networkId).executeTakeFirst();
      if (network === undefined) return undefined;
      throw new NetloomError("FORBIDDEN", `network ${networkId} is not bound to ${agent.host}`, { networkId });
    }
    const wanted = [...new Set<string>(subnetIds)];
    if (!(await allServeDhcp(trx, networkId, wanted))) return undefined;
    const own = dhcpDeviceId(agent.host, networkId);
    const fixed_ips = wanted.map((subnet_id) => ({ subnet_id }));
    const identity = { device_id: own, "binding:host_id": agent.host, fixed_ips };
    const [held] = await findOwnPorts(trx, networkId, agent.host);
    const id = held ?? (await lockReservedPort(trx, networkId));
    if (id !== undefined) return updatePortInTransaction(trx, this.#deps, id, identity);
    const body = { ...identity, network_id: networkId, name: "", device_owner: deviceOwners.dhcp, admin_state_up: true };
    const port = await createPortInTransaction(trx, this.#deps, body);
    // Nobody reports on it: who asked for it is the one who will plug it in.
    await trx.updateTable("ports").set({ status: "ACTIVE" }).where("id", "=", port.id).execute();
    return port;
  }
}

/** Two hosts may reach for the same one: whoever is second sees that it is no longer reserved and gets another, or none. */
async function lockReservedPort(trx: Trx, networkId: string): Promise<string | undefined> {
  const row = await portsOf(trx, networkId, reservedDhcpDeviceId)
    .limit(1)
    .$if(hasRowLocks(trx), (query) => query.forUpdate().skipLocked())
    .executeTakeFirst();
  return row?.id;
}

/** Leaves the host's port for whoever serves the network next, so that the address of its DHCP and DNS stays. */
export async function reserveDhcpPort(
  trx: Trx,
  deps: ServiceDeps,
  { networkId, host }: { readonly networkId: NetworkId; readonly host: string },
): Promise<void> {
  for (const id of await findOwnPorts(trx, networkId, host)) {
    await unlessGone(updatePortInTransaction(trx, deps, id, { device_id: reservedDhcpDeviceId, "binding:host_id": "" }));
  }
}

/** The port may have been deleted meanwhile: then there is nothing to keep or to remove. */
async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (thrown) {
    if (!(thrown instanceof ApiFault && thrown.type === "PortNotFound")) throw thrown;
  }
}

/**
 * The device id has the short name of the host only, as is usual: a.x and a.y have the same. So a port that is bound to
 * another host which serves the network too is that host's; any other with our device id is ours, whatever it is bound to.
 */
async function findOwnPorts(trx: Trx, networkId: NetworkId, host: string): Promise<readonly string[]> {
  const others = trx
    .selectFrom("network_dhcp_agents as bound")
    .innerJoin("agents", "agents.id", "bound.agent_id")
    .select("agents.host")
    .where("bound.network_id", "=", networkId)
    .where("agents.host", "!=", host);
  const rows = await portsOf(trx, networkId, dhcpDeviceId(host, networkId))
    .where("binding_host_id", "not in", others)
    .execute();
  return rows.map(({ id }) => id);
}

function portsOf(trx: Trx, networkId: string, deviceId: string) {
  return trx
    .selectFrom("ports")
    .select("id")
    .where("network_id", "=", networkId)
    .where("device_id", "=", deviceId)
    .where("device_owner", "=", deviceOwners.dhcp)
    .orderBy("id");
}

async function allServeDhcp(trx: Trx, networkId: string, subnetIds: readonly string[]): Promise<boolean> {
  if (subnetIds.length === 0) return true;
  const rows = await trx
    .selectFrom("subnets")
    .select("id")
    .where("network_id", "=", networkId)
    .where("enable_dhcp", "=", 1)
    .where("id", "in", [...subnetIds])
    .execute();
  return rows.length === subnetIds.length;
}
