// Another host: a network stack of its own, with its own bridge of the same network, on which a process of its own runs the
// real driver and device manager. Nothing wires the two hosts; instances can move from one to the other.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { bridgeName } from "../../src/model/device-names.ts";
import type { Network, Port, Subnet } from "../../src/model/network.ts";
import { endOf } from "./children.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh } from "./namespaces.ts";

const childPath = fileURLToPath(new URL("other-host-child.ts", import.meta.url));

export interface HostedNetwork {
  readonly network: Network;
  readonly subnets: readonly Subnet[];
  /** Of the server there. */
  readonly dhcpAddresses: readonly string[];
}

/** What the child is told; it answers `done`, or the text of an error. */
export type HostCommand = { readonly create: HostedNetwork } | { readonly apply: readonly Port[] } | { readonly close: true };

export class OtherHost {
  readonly #namespace: string;
  readonly #child: ChildProcess;
  readonly #bridge: string;

  private constructor(namespace: string, child: ChildProcess, bridge: string) {
    this.#namespace = namespace;
    this.#child = child;
    this.#bridge = bridge;
  }

  static async create(hosted: HostedNetwork): Promise<OtherHost> {
    const namespace = await createNamespace(`${randomPrefix()}host`);
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
    // `ip netns exec` and not nsenter: /sys must show the devices of that stack.
    const child = spawn("ip", ["netns", "exec", namespace, process.execPath, childPath], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    const host = new OtherHost(namespace, child, bridgeName(hosted.network.id));
    await host.#tell({ create: hosted });
    return host;
  }

  async apply(ports: readonly Port[]): Promise<void> {
    await this.#tell({ apply: ports });
  }

  /** The instance's tap leaves this host's bridge for the one there; inside the instance nothing but the carrier changes. */
  async receive(tap: string): Promise<void> {
    await sh("ip", "link", "set", tap, "netns", this.#namespace);
    await sh("ip", "-n", this.#namespace, "link", "set", tap, "master", this.#bridge, "up");
  }

  async close(): Promise<void> {
    try {
      await this.#tell({ close: true });
    } finally {
      await endOf(this.#child, "SIGKILL");
      await deleteNamespace(this.#namespace);
    }
  }

  async #tell(command: HostCommand): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit").then(() => ["the other host ended"]);
    this.#child.send(command);
    const [answer] = (await Promise.race([once(this.#child, "message"), ended])) as [string];
    if (answer !== "done") throw new Error(answer);
  }
}
