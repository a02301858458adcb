// Says when the first answer to a ping comes that an instance has sent: one ping a millisecond, from inside a namespace. An answer
// of the router itself, which has one hop less behind it, is counted and not believed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const prober = `
import os, select, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
runs = 0
print("up", flush=True)
for line in sys.stdin:
    address = line.strip()
    # Another one each time: answers of the last time may still come.
    runs += 1
    ident, sequence, routers, started = (os.getpid() + 7919 * runs) & 0xffff, 0, 0, time.monotonic_ns()
    answered = 0
    while not answered and time.monotonic_ns() - started < 10 * 10**9:
        sequence = (sequence + 1) & 0xffff
        head = struct.pack("!BBHHH", 8, 0, 0, ident, sequence)
        try: s.sendto(struct.pack("!BBHHH", 8, 0, checksum(head), ident, sequence), (address, 0))
        except OSError: pass
        until = time.monotonic_ns() + 10**6
        while not answered and (left := until - time.monotonic_ns()) > 0:
            if not select.select([s], [], [], left / 10**9)[0]: break
            data, peer = s.recvfrom(200)
            if peer[0] != address or data[20] != 0 or struct.unpack("!H", data[24:26])[0] != ident: continue
            if data[8] == 64: routers += 1
            else: answered = time.monotonic_ns()
    print(answered, routers, flush=True)
`;

export interface FirstPing {
  /** By the machine's monotonic clock, as `process.hrtime`; NaN when none came within 10 s. */
  readonly atMs: number;
  /** Answers before it that were the router's own. */
  readonly fromRouter: number;
}

export class FirstPingProbe {
  readonly #child: ChildProcess & { readonly stdin: NodeJS.WritableStream };
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess & { readonly stdin: NodeJS.WritableStream }, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  static async start(namespace: string): Promise<FirstPingProbe> {
    const child = spawn("ip", ["netns", "exec", namespace, "python3", "-c", prober], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    return new FirstPingProbe(child, lines);
  }

  async wait(address: string): Promise<FirstPing> {
    this.#child.stdin.write(`${address}\n`);
    const { value } = await this.#lines.next();
    const [at = 0, fromRouter = 0] = String(value).split(" ").map(Number);
    return { atMs: at === 0 ? Number.NaN : at / 1e6, fromRouter };
  }

  async close(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
