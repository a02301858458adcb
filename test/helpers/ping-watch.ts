// Pings to many addresses from one namespace for as long as a test takes, counted packet by packet.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { waitFor } from "./wait-for.ts";

export interface PingCount {
  readonly address: string;
  readonly sent: number;
  /** Without an answer that had passed a router. */
  readonly missing: readonly number[];
}

/** An answer that came with the hop count of an instance's system is the router's own: it had no hop to go. */
const ownHops = 64;
const intervalMs = 200;

export class PingWatch {
  readonly #address: string;
  readonly #child: ChildProcess;
  /** By number. */
  readonly #answered = new Set<number>();
  #rest = "";

  private constructor(address: string, child: ChildProcess) {
    this.#address = address;
    this.#child = child;
  }

  /** Returns when the first answer came. */
  static async start(namespace: string, address: string): Promise<PingWatch> {
    const words = ["netns", "exec", namespace, "ping", "-n", "-i", String(intervalMs / 1000), address];
    const child = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
    const watch = new PingWatch(address, child);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => watch.#read(text));
    await waitFor(() => watch.#answered.size > 0, { limitMs: 10_000, what: `a ping to ${address}` }).catch(async (thrown) => {
      await watch.close();
      throw thrown;
    });
    return watch;
  }

  /** Ends after one more answer, up to which it counts: what was sent since then is still under way. */
  async stop(): Promise<PingCount> {
    const before = this.#answered.size;
    await waitFor(() => this.#answered.size > before, { limitMs: 10_000, what: `one more answer of ${this.#address}` });
    await this.close();
    const sent = Math.max(...this.#answered);
    const numbers = Array.from({ length: sent }, (_, index) => index + 1);
    const missing = numbers.filter((number) => !this.#answered.has(number));
    return { address: this.#address, sent, missing };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #read(text: string): void {
    const lines = `${this.#rest}${text}`.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, number, hops] = /icmp_seq=(\d+) ttl=(\d+)/.exec(line) ?? [];
      if (number !== undefined && Number(hops) < ownHops) this.#answered.add(Number(number));
    }
  }
}
