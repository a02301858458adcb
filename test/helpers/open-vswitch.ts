// A whole Open vSwitch in a directory of its own, with the datapath in user space: no kernel module, no service of the host.
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, existsSync } from "node:fs";
import { join } from "node:path";
import { createTestDirectory, sh, type TestDirectory } from "./namespaces.ts";
import { waitFor } from "./wait-for.ts";

const server = "/usr/sbin/ovsdb-server";
const daemon = "/usr/sbin/ovs-vswitchd";

/** A reason to skip, or false. */
export function skipWithoutOpenVswitch(): string | false {
  if (process.getuid?.() !== 0) return "needs root: network namespaces";
  try {
    accessSync(server);
    accessSync(daemon);
    return false;
  } catch {
    return "needs Open vSwitch: apt-get install openvswitch-switch";
  }
}

export class OpenVswitch {
  readonly bridge: string;
  readonly #directory: TestDirectory;
  readonly #children: ChildProcess[] = [];

  /** @param bridge a name that no other bridge of this kernel has, 15 characters at most */
  static async start(bridge: string): Promise<OpenVswitch> {
    const one = new OpenVswitch(bridge, await createTestDirectory());
    try {
      await one.#start();
    } catch (error) {
      await one.close();
      throw error;
    }
    return one;
  }

  private constructor(bridge: string, directory: TestDirectory) {
    this.bridge = bridge;
    this.#directory = directory;
  }

  get database(): string {
    return `unix:${this.#path("db.sock")}`;
  }

  /** @returns what ovs-vsctl printed */
  async vsctl(...words: readonly string[]): Promise<string> {
    return (await sh("ovs-vsctl", `--db=${this.database}`, "--timeout=10", ...words)).trim();
  }

  /** Ports of the bridge, sorted. */
  async ports(): Promise<readonly string[]> {
    return (await this.vsctl("list-ports", this.bridge)).split("\n").filter((line) => line !== "");
  }

  async close(): Promise<void> {
    if (existsSync(this.#path("db.sock"))) await this.vsctl("--if-exists", "del-br", this.bridge).catch(() => "");
    for (const child of this.#children.reverse()) await endChild(child);
    await this.#directory.remove();
  }

  #path(name: string): string {
    return join(this.#directory.path, name);
  }

  async #start(): Promise<void> {
    await sh("ovsdb-tool", "create", this.#path("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema");
    this.#spawn(server, [
      this.#path("conf.db"),
      `--remote=punix:${this.#path("db.sock")}`,
      `--unixctl=${this.#path("server.ctl")}`,
    ]);
    await waitFor(() => existsSync(this.#path("db.sock")), { limitMs: 10_000, what: "the socket of ovsdb-server" });
    await this.vsctl("--no-wait", "init");
    this.#spawn(daemon, [this.database, `--unixctl=${this.#path("vswitchd.ctl")}`, "--disable-system"]);
    await this.vsctl("add-br", this.bridge, "--", "set", "Bridge", this.bridge, "datapath_type=netdev");
  }

  #spawn(program: string, args: readonly string[]): void {
    const env = { ...process.env, OVS_RUNDIR: this.#directory.path, OVS_LOGDIR: this.#directory.path };
    this.#children.push(spawn(program, [...args, "--log-file=/dev/null", "-vconsole:off"], { stdio: "ignore", env }));
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await gone;
  clearTimeout(timer);
}
