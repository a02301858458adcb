// Two hosts for real agents, with wires between them and an outside: what routers of high availability need of the world. Who
// the server is, is the caller's choice.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bridgeName } from "../../src/model/device-names.ts";
import { networkId } from "../../src/model/ids.ts";
import { HaHost, type HaHostOptions } from "./ha-host.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh } from "./namespaces.ts";
import { keepPinging, type Pinging } from "./packets.ts";
import { waitFor } from "./wait-for.ts";

export interface HaStageOptions extends Pick<HaHostOptions, "advertMs" | "agentFlags"> {
  /** For state and logs of the hosts. */
  readonly directory: string;
  /** Of a nats-server that listens everywhere. */
  readonly natsPort: number;
}

export class HaStage {
  readonly hosts: HaHost[] = [];
  /** Has 203.0.113.254/24. */
  readonly outside: string;
  readonly #prefix: string;
  readonly #wires: string;
  readonly #guests: string[] = [];
  readonly #wired = new Set<string>();
  readonly #pings: Pinging[] = [];

  private constructor(prefix: string) {
    this.outside = `${prefix}outside`;
    this.#prefix = prefix;
    this.#wires = `${prefix}wires`;
  }

  /** Without agents: they are started when the wires are there. */
  static async open(options: HaStageOptions): Promise<HaStage> {
    const stage = new HaStage(randomPrefix());
    try {
      await stage.#build(options);
    } catch (thrown) {
      await stage.close();
      throw thrown;
    }
    return stage;
  }

  async #build({ directory, ...common }: HaStageOptions): Promise<void> {
    const [wires, outside] = [await createNamespace(this.#wires), await createNamespace(this.outside)];
    for (const name of ["h1", "h2"]) {
      const own = join(directory, name);
      await mkdir(own);
      this.hosts.push(await HaHost.open({ name, prefix: this.#prefix, directory: own, ...common }));
    }
    await this.#wire("ext");
    await sh("ip", "-n", wires, "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", outside);
    await sh("ip", "-n", wires, "link", "set", "out", "master", "ext", "up");
    await sh("ip", "-n", outside, "addr", "add", "203.0.113.254/24", "dev", "eth0");
    await sh("ip", "-n", outside, "link", "set", "eth0", "up");
  }

  /** Joins the hosts' bridges of these networks; those that are joined already are left as they are. */
  async wireNew(networkIds: readonly string[]): Promise<void> {
    for (const bridge of networkIds.map((id) => bridgeName(networkId(id)))) {
      if (!this.#wired.has(bridge)) await this.#wire(bridge);
    }
  }

  /** On the first host. @param cidr of the guest's eth0 @returns its namespace */
  async plugGuest(network: string, { cidr, gateway }: Readonly<Record<"cidr" | "gateway", string>>): Promise<string> {
    const guest = await createNamespace(`${this.#prefix}guest${this.#guests.length}`);
    this.#guests.push(guest);
    await this.hosts[0]?.plug(guest, bridgeName(networkId(network)));
    await sh("ip", "-n", guest, "addr", "add", cidr, "dev", "eth0");
    await sh("ip", "-n", guest, "route", "add", "default", "via", gateway);
    return guest;
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
  }

  async #wire(bridge: string): Promise<void> {
    this.#wired.add(bridge);
    await sh("ip", "-n", this.#wires, "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await sh("ip", "-n", this.#wires, "link", "set", bridge, "up");
    for (const host of this.hosts) await host.wire(bridge, this.#wires);
  }
}
