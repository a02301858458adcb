// What the ancestor's L3 agent does for one floating IP, as one child per step, for comparison in benchmarks: it reads and writes
// whole tables, looks at the addresses of the device, and walks the connection table at each removal. Its Python, its remote calls
// and the second that arping takes (it waits for that in a thread) are left out, so the real one was slower.
import { spawn } from "node:child_process";

export interface AncestorOptions {
  /** Which of the two kinds of iptables. */
  readonly backend: "nft" | "legacy";
  readonly namespace: string;
  readonly device: string;
  /** Of floating IP number `n`. */
  readonly addressOf: (n: number) => { readonly floating: string; readonly fixed: string };
}

const chains = ["c-PREROUTING", "c-OUTPUT", "c-float-snat"];

export class AncestorFloatingIps {
  readonly #options: AncestorOptions;
  readonly #tool: string;
  readonly #present = new Set<number>();

  constructor(options: AncestorOptions) {
    this.#options = options;
    this.#tool = options.backend === "nft" ? "tables" : "tables-legacy";
  }

  /** The first `count`, at once: what the measured one is added to. */
  async load(count: number): Promise<void> {
    const { namespace, device, addressOf } = this.#options;
    for (let n = 0; n < count; n += 1) this.#present.add(n);
    await this.#run([`ip${this.#tool}-restore`], this.#table());
    const lines = Array.from({ length: count }, (_, n) => `addr add ${addressOf(n).floating}/32 dev ${device}`);
    await run(["ip", "-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  }

  async add(n: number): Promise<void> {
    const { device, addressOf } = this.#options;
    this.#present.add(n);
    await this.#run(["ip", "addr", "show", device, "permanent"]);
    await this.#run(["ip", "addr", "add", `${addressOf(n).floating}/32`, "dev", device]);
    await this.#applyTables();
  }

  async remove(n: number): Promise<void> {
    const { device, addressOf } = this.#options;
    const { floating } = addressOf(n);
    this.#present.delete(n);
    await this.#run(["ip", "addr", "show", device, "permanent"]);
    await this.#run(["ip", "addr", "del", `${floating}/32`, "dev", device]);
    await this.#applyTables();
    // 1: there was no such connection.
    await this.#run(["conntrack", "-D", "-d", floating], "", [0, 1]);
    await this.#run(["conntrack", "-D", "-q", floating], "", [0, 1]);
  }

  async #applyTables(): Promise<void> {
    await this.#run([`ip${this.#tool}-save`, "-t", "nat"]);
    await this.#run([`ip${this.#tool}-restore`, "-n"], this.#table());
    await this.#run([`ip6${this.#tool}-save`, "-t", "filter"]);
  }

  #table(): string {
    const rules = [...this.#present].flatMap((n) => {
      const { floating, fixed } = this.#options.addressOf(n);
      return [
        `-A c-PREROUTING -d ${floating}/32 -j DNAT --to-destination ${fixed}`,
        `-A c-OUTPUT -d ${floating}/32 -j DNAT --to-destination ${fixed}`,
        `-A c-float-snat -s ${fixed}/32 -j SNAT --to-source ${floating}`,
      ];
    });
    return ["*nat", ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, "COMMIT", ""].join("\n");
  }

  /** As the ancestor enters a namespace. */
  async #run(argv: readonly string[], input = "", exitCodes: readonly number[] = [0]): Promise<void> {
    await run(["ip", "netns", "exec", this.#options.namespace, ...argv], input, exitCodes);
  }
}

function run([file = "", ...args]: readonly string[], input: string, exitCodes: readonly number[] = [0]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stdout.resume();
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      errors += chunk;
    });
    child.stdin.on("error", () => {});
    child.once("error", reject);
    child.once("close", (code) => {
      if (exitCodes.includes(code ?? -1)) resolve();
      else reject(new Error(`${args.join(" ").slice(0, 200)}: ${code} ${errors.slice(0, 500)}`));
    });
    child.stdin.end(input);
  });
}
