// A host for routers in tests: an outside segment (a bridge and a namespace behind it), instances as namespaces on tenants'
// networks, a driver; pings and TCP through all of it. Everything has random names and goes with `remove`.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { NftRouterDriver } from "../../src/drivers/nft-router/nft-router-driver.ts";
import type { RouterHaDriver } from "../../src/drivers/router-ha.ts";
import { type CommandRunner, processRunner } from "../../src/linux/command-runner.ts";
import { hasDevice } from "../../src/linux/ip.ts";
import { type NamespaceRunner, NamespaceWorker } from "../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../src/linux/nft-shell-pool.ts";
import { bridgeName, routerNamespaceName } from "../../src/model/device-names.ts";
import type { Router, RouterInterface } from "../../src/model/router.ts";
import { firstOutput } from "./children.ts";
import { joinBridge, openOutside, type OutsideSegment } from "./outside-segment.ts";
import { keepPinging, type Pinging } from "./packets.ts";
import { createNamespace, createTestDirectory, deleteNamespace, randomPrefix, sh, type TestDirectory } from "./namespaces.ts";
import { waitFor } from "./wait-for.ts";

export interface Guest {
  readonly namespace: string;
  readonly address: string;
}

/** Where a test wants another than the usual. */
export interface DriverValues {
  readonly mappings?: ReadonlyMap<string, string>;
  readonly runner?: CommandRunner;
  readonly worker?: NamespaceRunner;
  readonly hasRadvd?: boolean;
  readonly spares?: number;
  readonly ha?: RouterHaDriver;
}

/** Nobody else asks everybody, and nobody answers that. */
const everybody = "255.255.255.255";

export class RouterScene {
  readonly prefix: string;
  readonly directory: TestDirectory;
  readonly bridge: string;
  /** Behind the external bridge; see outside-segment.ts for its addresses. */
  readonly outside: string;
  readonly worker = new NamespaceWorker();
  readonly nft = new NftShellPool();
  readonly #guests: string[] = [];
  readonly #bridges = new Set<string>();
  readonly #children: ChildProcess[] = [];
  readonly #pings: Pinging[] = [];
  readonly #drivers: NftRouterDriver[] = [];

  readonly #segment: OutsideSegment;

  private constructor(prefix: string, directory: TestDirectory, segment: OutsideSegment) {
    this.prefix = prefix;
    this.directory = directory;
    this.bridge = segment.bridge;
    this.outside = segment.namespace;
    this.#segment = segment;
  }

  static async open(): Promise<RouterScene> {
    const prefix = randomPrefix();
    const scene = new RouterScene(prefix, await createTestDirectory(), await openOutside(prefix));
    return scene;
  }

  /** A driver with a memory of its own: another one is like a restarted agent. */
  driver(values: DriverValues = {}): NftRouterDriver {
    const bridgeMappings = values.mappings ?? new Map([["public", this.bridge]]);
    const driver = new NftRouterDriver({
      ...{ worker: values.worker ?? this.worker, nft: this.nft, stateDir: this.directory.path },
      ...{ runner: values.runner ?? processRunner(), hasRadvd: values.hasRadvd, spares: values.spares, ha: values.ha },
      ...{ namespacePrefix: this.prefix, bridgeMappings, hasIpv6: true },
    });
    this.#drivers.push(driver);
    return driver;
  }

  namespaceOf(router: Pick<Router, "id">): string {
    return routerNamespaceName(this.prefix, router.id);
  }

  /** An instance on the network of that port; its routes lead to the port's addresses. @param cidr its address and prefix */
  async plugGuest(name: string, port: RouterInterface, cidr: string, gateway: string): Promise<Guest> {
    const namespace = await createNamespace(`${this.prefix}${name}`);
    this.#guests.push(namespace);
    const bridge = bridgeName(port.networkId);
    this.#bridges.add(bridge);
    if (!hasDevice(bridge)) {
      await sh("ip", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0");
      await sh("ip", "link", "set", bridge, "up");
    }
    await joinBridge(namespace, bridge);
    const isSix = cidr.includes(":");
    await sh("ip", "-n", namespace, "addr", "add", cidr, "dev", "eth0", ...(isSix ? ["nodad"] : []));
    await sh("ip", "-n", namespace, ...(isSix ? ["-6"] : []), "route", "add", "default", "via", gateway);
    return { namespace, address: cidr.split("/")[0] ?? "" };
  }

  /** A namespace of the test's own goes with the scene. */
  keep(namespace: string): void {
    this.#guests.push(namespace);
  }

  /** Asks every second; resolves when an answer came, and rejects when none did in ten. */
  async ping(from: string, to: string, words: readonly string[] = []): Promise<string> {
    return sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-w", "10", ...words, to);
  }

  /** Whether nothing answers within a second. */
  async isSilent(from: string, to: string): Promise<boolean> {
    return sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-W", "1", to).then(
      () => false,
      () => true,
    );
  }

  /** ip(8) inside the router's namespace. */
  async inside(router: Pick<Router, "id">, ...words: readonly string[]): Promise<string> {
    return sh("ip", "-n", this.namespaceOf(router), ...words);
  }

  /** Index of a device in the router's namespace: another one when it was made anew. */
  async indexOf(router: Pick<Router, "id">, device: string): Promise<number> {
    const [link] = JSON.parse(await this.inside(router, "-j", "link", "show", "dev", device)) as readonly { ifindex: number }[];
    return link?.ifindex ?? 0;
  }

  /** Devices of routers in its namespace. */
  async devicesOf(router: Pick<Router, "id">): Promise<readonly string[]> {
    const links = JSON.parse(await this.inside(router, "-j", "link")) as readonly { ifname: string }[];
    return links
      .map(({ ifname }) => ifname)
      .filter((name) => /^q[rg]-/.test(name))
      .sort();
  }

  /** `address/prefix`, without link-local ones of the kernel's. */
  async addressesOf(router: Pick<Router, "id">, device: string): Promise<readonly string[]> {
    const text = await this.inside(router, "-j", "addr", "show", "dev", device);
    const [link] = JSON.parse(text) as readonly { addr_info: readonly { local: string; prefixlen: number }[] }[];
    const infos = (link?.addr_info ?? []).filter(({ local }) => !local.startsWith("fe80::f8"));
    return infos.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort();
  }

  /** Keeps pinging, 20 a second, until `stop`; says how many were sent and lost. */
  async keepPinging(from: string, to: string): Promise<Pinging> {
    const pinging = await keepPinging(from, to);
    this.#pings.push(pinging);
    return pinging;
  }

  /** Source addresses that `namespace`, which has one of IPv4 on its eth0, sees ICMP requests come from while `work` runs. */
  async sourcesSeen(namespace: string, work: () => Promise<unknown>): Promise<ReadonlySet<string>> {
    const argv = ["netns", "exec", namespace, "tcpdump", "-n", "-l", "--immediate-mode", "-i", "eth0", "icmp or icmp6"];
    const child = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await firstOutput(child, /listening on/);
    await work();
    // What is not read yet is dropped when tcpdump ends; it has read all when it tells of what came later.
    const mark = ["netns", "exec", namespace, "ping", "-n", "-b", "-c", "1", "-W", "0.1", "-I", "eth0", everybody];
    const isRead = async (): Promise<boolean> => {
      await sh("ip", ...mark).catch(() => "");
      return output.includes(`> ${everybody}: `);
    };
    await waitFor(isRead, { limitMs: 20_000, what: "tcpdump to read it all" });
    const ended = once(child, "close");
    child.kill("SIGINT");
    await ended;
    const requests = [...output.matchAll(/IP6? (\S+) > (\S+): ICMP6?,? echo request/g)];
    return new Set(requests.filter(([, , to]) => to !== everybody).map(([, source = ""]) => source));
  }

  /** All of it, whatever of it resists; then that is thrown. */
  async remove(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    }
    await Promise.all(this.#pings.map((pinging) => pinging.close()));
    const [driver] = this.#drivers;
    const failures: unknown[] = [];
    const attempt = (work: () => Promise<unknown>): Promise<unknown> =>
      work().catch((thrown: unknown) => failures.push(thrown));
    for (const id of (await driver?.list()) ?? []) await attempt(async () => driver?.remove(id));
    for (const one of this.#drivers) await attempt(() => one.close());
    await attempt(() => this.nft.close());
    await attempt(() => this.worker.close());
    for (const guest of this.#guests) await deleteNamespace(guest);
    for (const bridge of this.#bridges) await sh("ip", "link", "del", bridge).catch(() => "");
    await this.#segment.remove();
    if (failures.length > 0) throw failures[0];
    await this.directory.remove();
  }
}
