// A host for routers in tests: an outside segment (a bridge and a namespace behind it), instances as namespaces on tenants'
// networks, a driver; pings and TCP through all of it. Everything has random names and goes with `remove`.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { NftRouterDriver } from "../../src/drivers/nft-router/nft-router-driver.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { hasDevice } from "../../src/linux/ip.ts";
import { NamespaceWorker } from "../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../src/linux/nft-shell-pool.ts";
import { bridgeName, routerNamespaceName } from "../../src/model/device-names.ts";
import type { Router, RouterInterface } from "../../src/model/router.ts";
import { createNamespace, createTestDirectory, deleteNamespace, randomPrefix, sh, type TestDirectory } from "./namespaces.ts";

export interface Guest {
  readonly namespace: string;
  readonly address: string;
}

export class RouterScene {
  readonly prefix: string;
  readonly directory: TestDirectory;
  readonly bridge: string;
  /** Behind the external bridge; has 203.0.113.254/24 and 2001:db8:ffff::fe/64. */
  readonly outside: string;
  readonly worker = new NamespaceWorker();
  readonly nft = new NftShellPool();
  readonly #guests: string[] = [];
  readonly #bridges = new Set<string>();
  readonly #children: ChildProcess[] = [];
  readonly #drivers: NftRouterDriver[] = [];

  private constructor(prefix: string, directory: TestDirectory) {
    this.prefix = prefix;
    this.directory = directory;
    this.bridge = `${prefix}ext`;
    this.outside = `${prefix}outside`;
  }

  static async open(): Promise<RouterScene> {
    const scene = new RouterScene(randomPrefix(), await createTestDirectory());
    const { bridge, outside } = scene;
    await sh("ip", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await sh("ip", "link", "set", bridge, "up");
    scene.#guests.push(await createNamespace(outside));
    await scene.#join(outside, bridge);
    await sh("ip", "-n", outside, "addr", "add", "203.0.113.254/24", "dev", "eth0");
    await sh("ip", "-n", outside, "addr", "add", "2001:db8:ffff::fe/64", "dev", "eth0", "nodad");
    return scene;
  }

  /** A driver with a memory of its own: another one is like a restarted agent. */
  driver(values: { readonly mappings?: ReadonlyMap<string, string> } = {}): NftRouterDriver {
    const bridgeMappings = values.mappings ?? new Map([["public", this.bridge]]);
    const driver = new NftRouterDriver({
      ...{ runner: processRunner(), worker: this.worker, nft: this.nft, stateDir: this.directory.path },
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
    await this.#join(namespace, bridge);
    const isSix = cidr.includes(":");
    await sh("ip", "-n", namespace, "addr", "add", cidr, "dev", "eth0", ...(isSix ? ["nodad"] : []));
    await sh("ip", "-n", namespace, ...(isSix ? ["-6"] : []), "route", "add", "default", "via", gateway);
    return { namespace, address: cidr.split("/")[0] ?? "" };
  }

  /** Resolves when an answer came; rejects otherwise. */
  async ping(from: string, to: string, words: readonly string[] = []): Promise<string> {
    return sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-W", "2", ...words, to);
  }

  /** Whether nothing answers within a second. */
  async isSilent(from: string, to: string): Promise<boolean> {
    return sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-W", "1", to).then(
      () => false,
      () => true,
    );
  }

  /** Keeps pinging, 20 a second, until `stop`; says how many were sent and lost. */
  async keepPinging(from: string, to: string): Promise<{ stop(): Promise<{ readonly sent: number; readonly lost: number }> }> {
    const child = spawn("ip", ["netns", "exec", from, "ping", "-n", "-i", "0.05", to], { stdio: ["ignore", "pipe", "ignore"] });
    this.#children.push(child);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(child.stdout, "data");
    const stop = async (): Promise<{ sent: number; lost: number }> => {
      const ended = once(child, "close");
      child.kill("SIGINT");
      await ended;
      const [, sent = "0", received = "0"] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
      return { sent: Number(sent), lost: Number(sent) - Number(received) };
    };
    return { stop };
  }

  /** Source addresses that `namespace` sees ICMP requests come from while `work` runs. */
  async sourcesSeen(namespace: string, work: () => Promise<unknown>): Promise<ReadonlySet<string>> {
    const argv = ["netns", "exec", namespace, "tcpdump", "-n", "-l", "--immediate-mode", "-i", "eth0", "icmp or icmp6"];
    const child = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(child.stderr, "data");
    await work();
    const ended = once(child, "close");
    child.kill("SIGINT");
    await ended;
    return new Set([...output.matchAll(/IP6? (\S+) > \S+: ICMP6?,? echo request/g)].map(([, source = ""]) => source));
  }

  async remove(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    }
    const [driver] = this.#drivers;
    for (const id of (await driver?.list()) ?? []) await driver?.remove(id);
    for (const one of this.#drivers) await one.close();
    await this.nft.close();
    await this.worker.close();
    for (const guest of this.#guests) await deleteNamespace(guest);
    for (const bridge of [this.bridge, ...this.#bridges]) await sh("ip", "link", "del", bridge).catch(() => "");
    await this.directory.remove();
  }

  async #join(namespace: string, bridge: string): Promise<void> {
    const tap = `t${Math.random().toString(36).slice(2, 12)}`;
    await sh("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    await sh("ip", "link", "set", tap, "master", bridge, "up");
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
    await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
  }
}
