// A server between a real database and a fake bus, with agents that are only their end of the wire.
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { composeServer, type ServerBase, type ServerParts } from "../../src/server/compose.ts";
import type { Attributes } from "../../src/server/services/resource-service.ts";
import type { Store } from "../../src/server/store/database.ts";
import { FakeHub, type FakeBus } from "./fake-bus.ts";
import { admin, createOne, everything, idOf } from "./network-services.ts";
import { RawAgent } from "./raw-agent.ts";

export interface RigOptions extends Partial<Omit<ServerBase, "store" | "bus">> {
  /** Of another server's rig: both hear the same agents. */
  readonly hub?: FakeHub;
}

export class ServerRig {
  readonly store: Store;
  readonly hub: FakeHub;
  readonly bus: FakeBus;
  readonly parts: ServerParts;

  private constructor(store: Store, hub: FakeHub, bus: FakeBus, parts: ServerParts) {
    this.store = store;
    this.hub = hub;
    this.bus = bus;
    this.parts = parts;
  }

  static async start(store: Store, options: RigOptions = {}): Promise<ServerRig> {
    const { hub = new FakeHub(), ...changes } = options;
    const bus = hub.connect();
    const usual = { clock: systemClock, log: silentLogger, agentsPerNetwork: 1, dnsDomain: "openstacklocal" };
    const parts = await composeServer({ store, bus, ...usual, ...changes });
    return new ServerRig(store, hub, bus, parts);
  }

  agent(host: string): RawAgent {
    return new RawAgent(this.hub.connect(), host);
  }

  async network(
    subnet: Attributes = {},
    network: Attributes = {},
  ): Promise<{ readonly networkId: string; readonly subnetId: string }> {
    const networkId = idOf(await createOne(this.parts.services.networks, network));
    return { networkId, subnetId: await this.subnet(networkId, subnet) };
  }

  async subnet(networkId: string, body: Attributes = {}): Promise<string> {
    const all = { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/24", enable_dhcp: true, ...body };
    return idOf(await createOne(this.parts.services.subnets, all));
  }

  async port(networkId: string, body: Attributes = {}): Promise<Readonly<Record<string, unknown>>> {
    return createOne(this.parts.services.ports, { network_id: networkId, ...body });
  }

  async showPort(id: string): Promise<Attributes> {
    return this.parts.services.ports.show(admin, id);
  }

  /** Hosts of the network, by name. */
  async hostsOf(networkId: string): Promise<readonly string[]> {
    const agents = await this.parts.services.agents.listForNetwork(admin, networkId);
    return agents.map((agent) => String(agent["host"])).toSorted();
  }

  async agentOf(host: string): Promise<Attributes> {
    const agents = await this.parts.services.agents.list(admin, everything);
    const found = agents.find((agent) => agent["host"] === host);
    if (found === undefined) throw new Error(`no agent on ${host}`);
    return found;
  }

  async close(): Promise<void> {
    await this.parts.close();
    await this.bus.close();
  }
}
