// Two hosts with real agents, NATS, and a server in this process: for routers of high availability.
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { composeServer, type ServerBase, type ServerParts } from "../../src/server/compose.ts";
import { openStore } from "../../src/server/store/database.ts";
import type { HaHost } from "./ha-host.ts";
import { HaStage, type HaStageOptions } from "./ha-stage.ts";
import { createTestDirectory } from "./namespaces.ts";
import { startTestNats } from "./nats-server.ts";
import { admin, everything, idOf } from "./network-services.ts";
import type { Pinging } from "./packets.ts";
import { RouterSite } from "./router-site.ts";
import { waitFor } from "./wait-for.ts";

export interface HaScene {
  readonly routerId: string;
  readonly guest: string;
  readonly guestPort: string;
  readonly externalNetwork: string;
}

/** When the server takes agents for dead, where a test wants another than the usual. */
export type Silence = Pick<ServerBase, "agentDownMs" | "failover">;

interface Parts {
  readonly stage: HaStage;
  readonly server: ServerParts;
  /** In the order of the end. */
  readonly closings: readonly (() => Promise<unknown>)[];
}

export class HaSite {
  readonly site: RouterSite;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.site = new RouterSite(parts.server.services);
  }

  /** Without agents: they are started when the wires are there. */
  static async open({
    advertMs,
    agentFlags,
    ...silence
  }: Pick<HaStageOptions, "advertMs" | "agentFlags"> & Silence): Promise<HaSite> {
    const directory = await createTestDirectory();
    const closings = [() => directory.remove()];
    try {
      const store = await openStore("sqlite::memory:", silentLogger);
      closings.unshift(() => store.close());
      const nats = await startTestNats(undefined, "0.0.0.0");
      closings.unshift(() => nats.close());
      const usual = { clock: systemClock, log: silentLogger, agentsPerNetwork: 1, dnsDomain: "openstacklocal" };
      const server = await composeServer({ store, bus: await nats.connectServer(), ...usual, ...silence });
      closings.unshift(() => server.close());
      const natsPort = Number(new URL(nats.url).port);
      const stage = await HaStage.open({ directory: directory.path, natsPort, advertMs, agentFlags });
      closings.unshift(() => stage.close());
      return new HaSite({ stage, server, closings });
    } catch (thrown) {
      for (const close of closings) await close();
      throw thrown;
    }
  }

  get hosts(): readonly HaHost[] {
    return this.#parts.stage.hosts;
  }

  get outside(): string {
    return this.#parts.stage.outside;
  }

  /** A router between the outside and a guest on the first host, on both hosts, once one of them forwards. */
  async build(router: Readonly<Record<string, unknown>> = { ha: true }): Promise<HaScene> {
    const { site } = this;
    const flat = { "provider:network_type": "flat", "provider:physical_network": "public" };
    const external = await site.external({}, flat);
    const internal = await site.internal();
    const routerId = await site.router(router);
    const networks = await site.services.networks.list(admin, everything);
    await this.wireNew(networks.map(idOf).filter((id) => id !== external.networkId));
    for (const host of this.hosts) await host.startAgent("l3-agent");
    for (const host of this.hosts) await host.startAgent("floating-ip-agent");
    const guestPort = await site.portId(internal.networkId, { fixed_ips: [{ ip_address: "10.0.0.50" }] });
    const where = { cidr: "10.0.0.50/24", gateway: "10.0.0.1" };
    const guest = await this.#parts.stage.plugGuest(internal.networkId, where);
    await site.setGateway(routerId, { network_id: external.networkId });
    await site.add(routerId, { subnetId: internal.subnetId });
    const modes = { ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
    const subnetId = await site.subnet(internal.networkId, { cidr: "2001:db8:1::/64", ...modes });
    await site.add(routerId, { subnetId });
    return { routerId, guest, guestPort, externalNetwork: external.networkId };
  }

  /** As `HaStage.wireNew`. */
  wireNew(networkIds: readonly string[]): Promise<void> {
    return this.#parts.stage.wireNew(networkIds);
  }

  get services(): ServerParts["services"] {
    return this.#parts.server.services;
  }

  /** As the API says it, by host. */
  async states(routerId: string): Promise<Readonly<Record<string, string>>> {
    const agents = await this.#parts.server.services.l3Agents.listForRouter(admin, routerId);
    return Object.fromEntries(agents.map((agent) => [String(agent["host"]), String(agent["ha_state"])]));
  }

  /** Once one host is active and the others stand by. */
  async settled(routerId: string): Promise<{ readonly primary: HaHost; readonly backup: HaHost }> {
    return waitFor(
      async () => {
        const states = await this.states(routerId);
        const primary = this.hosts.find(({ name }) => states[name] === "active");
        const backup = this.hosts.find(({ name }) => states[name] === "standby");
        return primary === undefined || backup === undefined ? undefined : { primary, backup };
      },
      { limitMs: 40_000, what: "one active and one standby host", everyMs: 100 },
    );
  }

  /** Resolves when an answer came within the limit. */
  pings(from: string, to: string, limitMs?: number): Promise<void> {
    return this.#parts.stage.pings(from, to, limitMs);
  }

  /** As `HaStage.keepPinging`. */
  keepPinging(from: string, to: string): Promise<Pinging> {
    return this.#parts.stage.keepPinging(from, to);
  }

  async close(): Promise<void> {
    for (const close of this.#parts.closings) await close();
  }
}
