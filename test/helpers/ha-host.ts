// A host of its own on this kernel: a network stack in which real agents run as processes, with its own view of namespaces and
// devices. A holder keeps that view while agents end and start again. Bridges of networks are wired to those of other hosts.
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { findProcesses, type ProcessState, terminate } from "../../src/linux/process-table.ts";
import { routerId } from "../../src/model/ids.ts";
import { routerNamespaceName } from "../../src/model/device-names.ts";
import { endOf, firstOutput } from "./children.ts";
import { waitFor } from "./wait-for.ts";
import { createNamespace, deleteNamespace, sh } from "./namespaces.ts";
import { untilReady } from "./ready-program.ts";

const launcher = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface HaHostOptions {
  readonly name: string;
  readonly prefix: string;
  /** For state and logs. */
  readonly directory: string;
  /** Of a nats-server of this machine that listens everywhere. */
  readonly natsPort: number;
  readonly advertMs: number;
  /** For both agents. */
  readonly agentFlags?: readonly string[] | undefined;
}

/**
 * Two addresses of 198.18.0.0/15 (RFC 2544) that no other wire of this machine has: files of tests run at the same time, and one that
 * was killed leaves its wires. The kernel takes a route for a prefix once only, so who has the route has the addresses.
 */
async function claimAddresses(wire: string): Promise<Readonly<Record<"here" | "there", string>>> {
  const claim = async (): Promise<Readonly<Record<"here" | "there", string>>> => {
    const first = randomInt(2 ** 15) * 4;
    const address = (offset: number): string => {
      const at = first + offset;
      return `198.${18 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;
    };
    await sh("ip", "route", "add", `${address(0)}/30`, "dev", wire);
    return { here: address(1), there: address(2) };
  };
  return waitFor(claim, { limitMs: 10_000, what: `addresses for ${wire}` });
}

/** @returns by which address the host reaches this machine */
async function wireUp({ prefix, name }: HaHostOptions, namespace: string): Promise<string> {
  await sh("ip", "-n", namespace, "link", "set", "lo", "up");
  const wire = `${prefix}${name}`.replaceAll("-", "").slice(0, 14);
  await sh("ip", "link", "add", wire, "type", "veth", "peer", "name", "up0", "netns", namespace);
  await sh("ip", "link", "set", wire, "up");
  await sh("ip", "-n", namespace, "link", "set", "up0", "up");
  const { here, there } = await claimAddresses(wire);
  await sh("ip", "addr", "add", `${here}/30`, "dev", wire, "noprefixroute");
  await sh("ip", "-n", namespace, "addr", "add", `${there}/30`, "dev", "up0");
  return here;
}

export class HaHost {
  readonly name: string;
  readonly #options: HaHostOptions;
  readonly #namespace: string;
  readonly #holder: ChildProcess;
  /** As the host reaches it. */
  readonly #natsUrl: string;
  readonly #agents = new Map<string, ChildProcess>();

  private constructor(
    options: HaHostOptions,
    { namespace, holder, natsUrl }: { readonly namespace: string; readonly holder: ChildProcess; readonly natsUrl: string },
  ) {
    this.name = options.name;
    this.#options = options;
    this.#namespace = namespace;
    this.#holder = holder;
    this.#natsUrl = natsUrl;
  }

  static async open(options: HaHostOptions): Promise<HaHost> {
    const namespace = await createNamespace(`${options.prefix}${options.name}`);
    // Its own /sys shows the devices of that stack, and what it mounts below /run/netns is seen by nobody else.
    const holder = spawn("ip", ["netns", "exec", namespace, "sh", "-c", "echo held; exec sleep infinity"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      await firstOutput(holder, /held/);
      await mkdir(join(options.directory, "run"), { recursive: true });
      const natsUrl = `nats://${await wireUp(options, namespace)}:${options.natsPort}`;
      return new HaHost(options, { namespace, holder, natsUrl });
    } catch (thrown) {
      holder.kill("SIGKILL");
      await deleteNamespace(namespace);
      throw thrown;
    }
  }

  /** In the stack of the host, with its view of namespaces. */
  inside(...words: readonly string[]): Promise<string> {
    return sh("nsenter", "-t", String(this.#holder.pid), "-m", "-n", ...words);
  }

  inRouter(id: string, ...words: readonly string[]): Promise<string> {
    return this.inside("ip", "netns", "exec", this.routerNamespace(id), ...words);
  }

  routerNamespace(id: string): string {
    return routerNamespaceName(this.#prefix, routerId(id));
  }

  /** A bridge of the host, wired to one of the same name in `wires`, which joins all hosts. */
  async wire(bridge: string, wires: string): Promise<void> {
    const end = `w${Math.random().toString(36).slice(2, 12)}`;
    await sh("ip", "-n", wires, "link", "add", end, "type", "veth", "peer", "name", end, "netns", this.#namespace);
    await sh("ip", "-n", wires, "link", "set", end, "master", bridge, "up");
    const add = ["ip", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"];
    const join = async (): Promise<true> => {
      // An agent that was told of the network first has made it; one that leaves the network takes it away until we are in it.
      await this.inside(...add).catch(async (thrown: unknown) => {
        if (!String(thrown).includes("File exists")) throw thrown;
      });
      await this.inside("ip", "link", "set", bridge, "up");
      await this.inside("ip", "link", "set", end, "master", bridge, "up");
      return true;
    };
    await waitFor(join, { limitMs: 10_000, what: `bridge ${bridge}` });
  }

  /** Whether its agents reach NATS; nothing else goes that way. */
  async setConnected(isConnected: boolean): Promise<void> {
    await this.inside("ip", "link", "set", "up0", isConnected ? "up" : "down");
  }

  async plug(guest: string, bridge: string): Promise<void> {
    const end = `g${Math.random().toString(36).slice(2, 12)}`;
    await sh("ip", "-n", guest, "link", "add", "eth0", "type", "veth", "peer", "name", end, "netns", this.#namespace);
    await this.inside("ip", "link", "set", end, "master", bridge, "up");
    await sh("ip", "-n", guest, "link", "set", "eth0", "up");
    await sh("ip", "-n", guest, "link", "set", "lo", "up");
  }

  /** Of its namespaces: their names are files in one directory of this machine, whoever sees what is mounted on them. */
  get #prefix(): string {
    return `${this.#options.prefix}${this.name}-`;
  }

  get stateDir(): string {
    return join(this.#options.directory, "state");
  }

  async startAgent(program: "l3-agent" | "floating-ip-agent"): Promise<void> {
    const { advertMs, name, agentFlags = [] } = this.#options;
    const flags = ["--host", name, "--state-dir", this.stateDir, "--nats-url", this.#natsUrl];
    const more = [
      "--namespace-prefix",
      this.#prefix,
      "--report-interval-ms",
      "1000",
      "--resync-interval-ms",
      "3000",
      ...agentFlags,
    ];
    const own = program === "l3-agent" ? ["--l3-bridge-mappings", "public:ext", "--l3-ha-advert-ms", String(advertMs)] : [];
    const argv = [process.execPath, launcher, program, ...flags, ...more, ...own];
    const child = spawn("nsenter", ["-t", String(this.#holder.pid), "-m", "-n", ...argv], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#agents.set(program, child);
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (words = (words + chunk).slice(-4000)));
    await untilReady(child, () => `on ${name}: ${words}`);
  }

  /** Daemons that work for its agents, known by the files that they were given. @param program all when not said */
  daemons(program?: string): readonly ProcessState[] {
    return findProcesses(
      ([name = "", ...words]) =>
        words.some((word) => word.startsWith(`${this.stateDir}/`)) && (program === undefined || name.endsWith(program)),
    );
  }

  /** Returns when it has gone. */
  async endAgent(program: "l3-agent" | "floating-ip-agent", signal: NodeJS.Signals): Promise<void> {
    const child = this.#agents.get(program);
    this.#agents.delete(program);
    await endOf(child, signal);
  }

  async close(): Promise<void> {
    for (const program of ["l3-agent", "floating-ip-agent"] as const) await this.endAgent(program, "SIGKILL");
    for (const left of this.daemons()) await terminate(left);
    const names = (await this.inside("ls", "/run/netns")).split("\n").filter((name) => name.startsWith(this.#prefix));
    for (const name of names) await this.inside("ip", "netns", "del", name).catch(() => "");
    await endOf(this.#holder, "SIGKILL");
    await deleteNamespace(this.#namespace);
  }
}
