// A server between a real database and a fake bus, with a site of routers on it and the wire's end of the agents that host them.
import { admin, everything, idOf } from "./network-services.ts";
import { RawL3Agent } from "./raw-l3-agent.ts";
import { type Joined, RouterSite } from "./router-site.ts";
import type { Attributes } from "../../src/server/services/resource-service.ts";
import type { Store } from "../../src/server/store/database.ts";
import { type RigOptions, ServerRig } from "./server-rig.ts";

export interface L3Host {
  readonly l3: RawL3Agent<"l3">;
  readonly fip: RawL3Agent<"fip">;
}

export class L3Site {
  readonly rig: ServerRig;
  readonly site: RouterSite;

  private constructor(rig: ServerRig) {
    this.rig = rig;
    this.site = new RouterSite(rig.parts.services);
  }

  static async start(store: Store, options: RigOptions = {}): Promise<L3Site> {
    return new L3Site(await ServerRig.start(store, options));
  }

  l3(host: string): RawL3Agent<"l3"> {
    return new RawL3Agent(this.rig.hub.connect(), "l3", host);
  }

  fip(host: string): RawL3Agent<"fip"> {
    return new RawL3Agent(this.rig.hub.connect(), "fip", host);
  }

  /** Both agents of a host, registered. */
  async host(name: string): Promise<L3Host> {
    const [l3, fip] = [this.l3(name), this.fip(name)];
    await l3.sync();
    await fip.sync();
    return { l3, fip };
  }

  /** A router that is joined, a port behind it and a floating IP that leads there. */
  async served(router: Attributes = {}): Promise<Joined & { readonly portId: string; readonly floatingIpId: string }> {
    const joined = await this.site.joined(router);
    const portId = await this.site.portId(joined.inside.networkId);
    const floatingIpId = idOf(await this.site.floatingIp(joined.outside.networkId, { port_id: portId }));
    return { ...joined, portId, floatingIpId };
  }

  /** Names of the hosts of a router. */
  async hostsOf(routerId: string): Promise<readonly string[]> {
    const agents = await this.rig.parts.services.l3Agents.listForRouter(admin, routerId);
    return agents.map((agent) => String(agent["host"])).toSorted();
  }

  async agentId(host: string, type = "L3 agent"): Promise<string> {
    const agents = await this.rig.parts.services.agents.list(admin, everything);
    const found = agents.find((agent) => agent["host"] === host && agent["agent_type"] === type);
    if (found === undefined) throw new Error(`no ${type} on ${host}`);
    return idOf(found);
  }

  floatingIpOf(id: string): Promise<Readonly<Record<string, unknown>>> {
    return this.site.services.floatingIps.show(admin, id);
  }

  close(): Promise<void> {
    return this.rig.close();
  }
}
