// A DHCP client for hundreds of MAC addresses at once, through one device in one namespace. Real clients (udhcpc, dhclient)
// prove that clients are content; this one proves it for every port and measures.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ProbeRequest } from "./child.ts";

export interface ProbeAnswer {
  /** `none` when nobody answered in time. */
  readonly answer: "offer" | "ack" | "nak" | "none";
  /** CLOCK_MONOTONIC when the answer came, comparable with process.hrtime.bigint() of other processes here. */
  readonly atNs: bigint;
  readonly address?: string;
  readonly serverId?: string;
  readonly routers?: readonly string[];
  readonly dnsServers?: readonly string[];
  readonly domain?: string;
  readonly mtu?: number;
  readonly leaseSeconds?: number;
}

export interface ProbeOptions {
  readonly want: "offer" | "lease" | "request";
  /** For `request`. The answer to `renew` and `rebind` comes to the address itself, which must be on the probe's device. */
  readonly request?: ProbeRequest;
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

type Asked = PromiseWithResolvers<ProbeAnswer>;

export class DhcpProbe {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Asked>();
  #ended: Error | undefined;
  #nextId = 1 + Math.floor(Math.random() * 2 ** 30);

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** The namespace needs one device that is up and a route for 255.255.255.255. */
  static async start(namespace: string): Promise<DhcpProbe> {
    const script = fileURLToPath(new URL("child.ts", import.meta.url));
    const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, process.execPath, script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const probe = new DhcpProbe(child);
    const ready = Promise.withResolvers<void>();
    // Not "exit": its last answers may still be on the way then.
    child.once("close", (code, signal) => {
      const reason = new Error(`dhcp probe in ${namespace} ended with ${code ?? signal}`);
      ready.reject(reason);
      probe.#end(reason);
    });
    // Its end tells whoever is not answered.
    child.stdin?.on("error", () => {});
    if (child.stdout === null) throw new Error("probe has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as { ready?: true; id?: number; atNs?: string };
      if (message.ready === true) ready.resolve();
      else if (message.id !== undefined)
        probe.#settle(message.id, { ...message, atNs: BigInt(message.atNs ?? 0) } as unknown as ProbeAnswer);
    });
    await ready.promise;
    return probe;
  }

  ask(mac: string, options: ProbeOptions): Promise<ProbeAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const asked = Promise.withResolvers<ProbeAnswer>();
    // It may be a while until the caller waits for it.
    asked.promise.catch(() => {});
    this.#pending.set(id, asked);
    this.#child.stdin?.write(`${JSON.stringify({ id, mac, everyMs: 250, ...options })}\n`);
    return asked.promise;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    await ended;
  }

  #end(reason: Error): void {
    this.#ended = reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #settle(id: number, answer: ProbeAnswer): void {
    this.#pending.get(id)?.resolve(answer);
    this.#pending.delete(id);
  }
}
