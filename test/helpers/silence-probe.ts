// How long nobody answers DHCP: asks for one known MAC every 20 ms, each time anew, and keeps the moments of the answers.
import { spawnSync } from "node:child_process";
import { netloom } from "./netloom-up.ts";
import type { BenchSite } from "./bench-site.ts";
import { DhcpProbe } from "./dhcp-probe/probe.ts";
import type { Json } from "./rest-client.ts";

const everyMs = 20;

function run(...argv: readonly [string, ...string[]]): void {
  const [file, ...rest] = argv;
  const result = spawnSync(file, rest, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`);
}

/** An instance of its own on a network of a site, from which any MAC can ask. */
export class PluggedProbe {
  readonly probe: DhcpProbe;
  readonly mac: string;
  readonly #site: BenchSite;
  readonly #port: string;
  readonly #namespace: string;

  private constructor(site: BenchSite, port: Json & { readonly id: string }, namespace: string, probe: DhcpProbe) {
    this.#site = site;
    this.#port = port.id;
    this.mac = String(port["mac_address"]);
    this.#namespace = namespace;
    this.probe = probe;
  }

  /** Needs the agent, because the port is bound and plugged as by a user. */
  static async start(site: BenchSite, network: string, name: string): Promise<PluggedProbe> {
    const port = await site.client.create("port", { network_id: network, name });
    const namespace = `${site.prefix}${name}`;
    run("ip", "netns", "add", namespace);
    const flags = ["--netns", namespace, "--state-dir", site.stateDir, "--host", site.host];
    const plugged = await netloom(["--url", site.url, "port", "plug", port.id, ...flags]);
    if (plugged.exitCode !== 0) throw new Error(plugged.stderr);
    run("ip", "-n", namespace, "route", "add", "default", "dev", "eth0");
    return new PluggedProbe(site, port, namespace, await DhcpProbe.start(namespace));
  }

  /** Asks until `isOver`; answers the longest time between two answers and what was not answered at all. */
  async watch(isOver: () => boolean): Promise<{ readonly longestMs: number; readonly asked: number; readonly lost: number }> {
    const answeredAt: number[] = [];
    const asking: Promise<unknown>[] = [];
    let lost = 0;
    while (!isOver()) {
      const answer = this.probe.ask(this.mac, { want: "offer", timeoutMs: 3000, everyMs: 5000 });
      asking.push(
        answer.then(({ answer: kind, atNs }) => {
          if (kind === "offer") answeredAt.push(Number(atNs / 1000n) / 1000);
          else lost += 1;
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    await Promise.all(asking);
    const sorted = answeredAt.sort((left, right) => left - right);
    const gaps = sorted.slice(1).map((at, index) => at - (sorted[index] ?? at));
    return { longestMs: Math.max(0, ...gaps), asked: asking.length, lost };
  }

  async close(): Promise<void> {
    await this.probe.close();
    await netloom(["--url", this.#site.url, "port", "unplug", this.#port, "--state-dir", this.#site.stateDir]);
    spawnSync("ip", ["netns", "del", this.#namespace]);
  }
}
