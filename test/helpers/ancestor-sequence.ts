// What the ancestor's agent does to bring up one network, as one child per step, four networks at a time: for comparison in
// benchmarks. Its Python, its remote calls and its firewall rules are left out, so the real one was slower.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exactCpuMs } from "./process-figures.ts";

export interface AncestorOptions {
  readonly ports: number;
  /** How long its wait for a process sleeps before it looks again; 0: not at all. */
  readonly pollMs: number;
  readonly threads: number;
}

interface Network {
  readonly namespace: string;
  readonly tap: string;
  readonly inner: string;
  readonly bridge: string;
  readonly directory: string;
  readonly index: number;
}

export class AncestorSequence {
  readonly #directory: string;
  readonly #options: AncestorOptions;
  readonly #prefix = `a${randomBytes(2).toString("hex")}`;
  readonly #made: Network[] = [];

  private constructor(directory: string, options: AncestorOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  static async create(options: AncestorOptions): Promise<AncestorSequence> {
    return new AncestorSequence(await mkdtemp(path.join(tmpdir(), "netloom-ancestor-")), options);
  }

  /** Wall and CPU of all children and daemons, ms. */
  async run(count: number): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
    const before = process.resourceUsage();
    const startedAt = performance.now();
    const childrenBefore = await childTicks();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) await this.#bringUp(index);
    };
    await Promise.all(Array.from({ length: this.#options.threads }, worker));
    const wallMs = performance.now() - startedAt;
    const after = process.resourceUsage();
    const ownMs = (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000;
    const pids = await Promise.all(this.#made.map(async ({ directory }) => Number(await readFile(`${directory}/pid`, "utf8"))));
    const daemonMs = pids.reduce((sum, pid) => sum + exactCpuMs(pid), 0);
    return { wallMs, cpuMs: ownMs + (await childTicks()) - childrenBefore + daemonMs };
  }

  async #bringUp(index: number): Promise<void> {
    const name = `${this.#prefix}${index}`;
    const network: Network = {
      index,
      namespace: `${this.#prefix}-qdhcp-${index}`,
      tap: `${name}t`,
      inner: `${name}n`,
      bridge: `${name}b`,
      directory: path.join(this.#directory, String(index)),
    };
    this.#made.push(network);
    await this.#plug(network);
    await this.#writeFiles(network);
    await this.#spawn(network);
    // Its wait for the process looks, sleeps, and looks again.
    if (this.#options.pollMs > 0) await delay(this.#options.pollMs);
  }

  async #plug({ namespace, tap, inner, bridge, index }: Network): Promise<void> {
    const inside = ["ip", "netns", "exec", namespace];
    const address = `10.${(index >> 8) & 255}.${index & 255}`;
    await sh("ip", "netns", "add", namespace);
    await sh(...inside, "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1");
    await sh(...inside, "ip", "link", "set", "lo", "up");
    await sh("ip", "link", "add", bridge, "type", "bridge");
    await sh("ip", "link", "set", bridge, "up");
    await sh("ip", "link", "add", tap, "type", "veth", "peer", "name", inner);
    await sh("ip", "link", "set", tap, "master", bridge);
    await sh("ip", "link", "set", inner, "netns", namespace);
    await sh(...inside, "ip", "link", "set", inner, "mtu", "1450");
    await sh("ip", "link", "set", tap, "up");
    await sh(...inside, "ip", "link", "set", inner, "up");
    await sh(...inside, "ip", "-o", "addr", "show", inner);
    await sh(...inside, "ip", "-4", "addr", "add", `${address}.2/24`, "brd", `${address}.255`, "dev", inner);
    await sh(...inside, "ip", "route", "replace", "default", "via", `${address}.1`, "dev", inner);
  }

  async #writeFiles({ directory, index }: Network): Promise<void> {
    await mkdir(directory);
    const line = (port: number): string =>
      `fa:16:3e:00:00:${(port + 16).toString(16)},host-${port},10.${(index >> 8) & 255}.${index & 255}.${port + 10}\n`;
    await writeFile(`${directory}/host`, Array.from({ length: this.#options.ports }, (_, port) => line(port)).join(""));
    for (const file of ["opts", "addn_hosts", "leases"]) await writeFile(`${directory}/${file}`, "");
  }

  async #spawn({ namespace, directory, index }: Network): Promise<void> {
    await sh(
      ...["ip", "netns", "exec", namespace, "dnsmasq", "--no-hosts", "--no-resolv", "--user=root"],
      ...[`--pid-file=${directory}/pid`, `--dhcp-hostsfile=${directory}/host`, `--addn-hosts=${directory}/addn_hosts`],
      ...[`--dhcp-optsfile=${directory}/opts`, `--dhcp-leasefile=${directory}/leases`, "--conf-file=/dev/null"],
      ...[
        "--local-service",
        "--bind-dynamic",
        `--dhcp-range=10.${(index >> 8) & 255}.${index & 255}.0,static,255.255.255.0,86400s`,
      ],
    );
  }

  async destroy(): Promise<void> {
    for (const { namespace, tap, bridge, directory } of this.#made) {
      const pid = Number(await readFile(`${directory}/pid`, "utf8").catch(() => ""));
      if (pid > 0) process.kill(pid, "SIGTERM");
      for (const args of [
        ["link", "del", tap],
        ["link", "del", bridge],
        ["netns", "del", namespace],
      ])
        await sh("ip", ...args).catch(() => {});
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function sh(...argv: readonly string[]): Promise<void> {
  const [tool = "", ...rest] = argv;
  const child = spawn(tool, rest, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
}

/** CPU of the children that this process has waited for, ms. */
async function childTicks(): Promise<number> {
  const text = await readFile("/proc/self/stat", "utf8");
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  return ((fields[13] ?? 0) + (fields[14] ?? 0)) * 10;
}
