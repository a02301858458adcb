// Two hosts with real agents, a server, NATS, and wires between the hosts: for routers of high availability.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { bridgeName } from "../../src/model/device-names.ts";
import { networkId } from "../../src/model/ids.ts";
import { composeServer, type ServerBase, type ServerParts } from "../../src/server/compose.ts";
import { openStore, type Store } from "../../src/server/store/database.ts";
import { HaHost } from "./ha-host.ts";
import { createNamespace, createTestDirectory, deleteNamespace, randomPrefix, sh, type TestDirectory } from "./namespaces.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { admin, everything, idOf } from "./network-services.ts";
import { keepPinging, type Pinging } from "./packets.ts";
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

export class HaSite {
  readonly site: RouterSite;
  readonly hosts: readonly HaHost[];
  readonly outside: string;
  readonly #wires: string;
  readonly #parts: {
    readonly directory: TestDirectory;
    readonly nats: TestNats;
    readonly store: Store;
    readonly server: ServerParts;
  };
  readonly #guests: string[] = [];
  readonly #wired = new Set<string>();
  readonly #pings: Pinging[] = [];
  readonly #prefix: string;

  private constructor(parts: {
    readonly prefix: string;
    readonly hosts: readonly HaHost[];
    readonly wires: string;
    readonly outside: string;
    readonly own: {
      readonly directory: TestDirectory;
      readonly nats: TestNats;
      readonly store: Store;
      readonly server: ServerParts;
    };
  }) {
    this.#prefix = parts.prefix;
    this.hosts = parts.hosts;
    this.#wires = parts.wires;
    this.outside = parts.outside;
    this.#parts = parts.own;
    this.site = new RouterSite(parts.own.server.services);
  }

  /** Without agents: they are started when the wires are there. */
  static async open({ advertMs, ...silence }: { readonly advertMs: number } & Silence): Promise<HaSite> {
    const prefix = randomPrefix();
    const directory = await createTestDirectory();
    const nats = await startTestNats(undefined, "0.0.0.0");
    const store = await openStore("sqlite::memory:", silentLogger);
    const usual = { clock: systemClock, log: silentLogger, agentsPerNetwork: 1, dnsDomain: "openstacklocal" };
    const server = await composeServer({ store, bus: await nats.connectServer(), ...usual, ...silence });
    const wires = await createNamespace(`${prefix}wires`);
    const outside = await createNamespace(`${prefix}outside`);
    const natsPort = Number(new URL(nats.url).port);
    const first = Math.floor(Math.random() * 250);
    const hosts: HaHost[] = [];
    for (const [index, name] of ["h1", "h2"].entries()) {
      const own = join(directory.path, name);
      await mkdir(own);
      hosts.push(await HaHost.open({ name, prefix, directory: own, natsPort, subnet: first + index, advertMs }));
    }
    const site = new HaSite({ prefix, hosts, wires, outside, own: { directory, nats, store, server } });
    await site.#wire("ext");
    await sh("ip", "-n", wires, "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", outside);
    await sh("ip", "-n", wires, "link", "set", "out", "master", "ext", "up");
    await sh("ip", "-n", outside, "addr", "add", "203.0.113.254/24", "dev", "eth0");
    await sh("ip", "-n", outside, "link", "set", "eth0", "up");
    return site;
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
    const guest = await this.#plugGuest(bridgeName(networkId(internal.networkId)), "10.0.0.50/24");
    await site.setGateway(routerId, { network_id: external.networkId });
    await site.add(routerId, { subnetId: internal.subnetId });
    const modes = { ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
    const subnetId = await site.subnet(internal.networkId, { cidr: "2001:db8:1::/64", ...modes });
    await site.add(routerId, { subnetId });
    return { routerId, guest, guestPort, externalNetwork: external.networkId };
  }

  /** Joins the hosts' bridges of these networks; those that are joined already are left as they are. */
  async wireNew(networkIds: readonly string[]): Promise<void> {
    for (const bridge of networkIds.map((id) => bridgeName(networkId(id)))) {
      if (!this.#wired.has(bridge)) await this.#wire(bridge);
    }
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
  async pings(from: string, to: string, limitMs = 20_000): Promise<void> {
    await waitFor(() => sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-W", "1", to).then(() => true), {
      limitMs,
      what: `an answer of ${to}`,
    });
  }

  /** Ten times a second until `stop`, which says how many were sent and not answered. */
  async keepPinging(from: string, to: string): Promise<Pinging> {
    const pinging = await keepPinging(from, to, 100);
    this.#pings.push(pinging);
    return pinging;
  }

  async close(): Promise<void> {
    await Promise.all(this.#pings.map((pinging) => pinging.close()));
    for (const host of this.hosts) await host.close();
    for (const name of [...this.#guests, this.outside, this.#wires]) await deleteNamespace(name);
    const { server, nats, store, directory } = this.#parts;
    await server.close();
    await nats.close();
    await store.close();
    await directory.remove();
  }

  async #wire(bridge: string): Promise<void> {
    this.#wired.add(bridge);
    await sh("ip", "-n", this.#wires, "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await sh("ip", "-n", this.#wires, "link", "set", bridge, "up");
    for (const host of this.hosts) await host.wire(bridge, this.#wires);
  }

  async #plugGuest(bridge: string, cidr: string): Promise<string> {
    const guest = await createNamespace(`${this.#prefix}guest${this.#guests.length}`);
    this.#guests.push(guest);
    await this.hosts[0]?.plug(guest, bridge);
    await sh("ip", "-n", guest, "addr", "add", cidr, "dev", "eth0");
    await sh("ip", "-n", guest, "route", "add", "default", "via", "10.0.0.1");
    return guest;
  }
}
