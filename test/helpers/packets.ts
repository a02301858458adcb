// Small servers and clients inside namespaces, for tests that must see packets arrive.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { firstOutput } from "./children.ts";
import { sh } from "./namespaces.ts";
import { waitFor } from "./wait-for.ts";

export interface Listener {
  close(): Promise<void>;
}

// One process per namespace and its ports: says what it heard from whom.
const echo = `
import socket, sys, threading
def tcp(s, port):
    while True:
        c, a = s.accept()
        def serve(c=c, a=a):
            try:
                while True:
                    data = c.recv(100)
                    if not data: break
                    c.sendall(f"{port} {a[0]}".encode())
            except OSError: pass
            c.close()
        threading.Thread(target=serve, daemon=True).start()
def udp(s, port):
    while True:
        data, a = s.recvfrom(100)
        s.sendto(f"{port} {a[0]}".encode(), a)
def bound(kind, port):
    s = socket.socket(socket.AF_INET, {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind])
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", port))
    if kind == "tcp": s.listen()
    return s
for word in sys.argv[1:]:
    kind, port = word.split(":")
    s = bound(kind, int(port))
    threading.Thread(target={"tcp": tcp, "udp": udp}[kind], args=(s, int(port)), daemon=True).start()
print("up", flush=True)
sys.stdin.read()
`;

/** Answers everything with `<its port> <source address>`. @param ports `tcp:80`, `udp:53` */
export async function listen(namespace: string, ...ports: readonly string[]): Promise<Listener> {
  const child = spawn("ip", ["netns", "exec", namespace, "python3", "-c", echo, ...ports], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await firstOutput(child, /^up$/m);
  return { close: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
}

const question = `
import socket, sys
kind, address, port, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(limit)
try:
    s.connect((address, port)); s.send(b"x"); print(s.recv(100).decode(), end="")
except OSError: print("nothing", end="")
`;

/** Seconds to wait where an answer is expected, and where none is: only the second are waited for in a good run. */
const answerS = 5;
export const silenceS = 1;

/** What the listener answers, or `nothing` when none came within `limitS` seconds. */
export const ask = (namespace: string, kind: "tcp" | "udp", address: string, port: number, limitS = answerS): Promise<string> =>
  sh("ip", "netns", "exec", namespace, "python3", "-c", question, kind, address, String(port), String(limitS));

const conversation = `
import socket, sys
s = socket.socket(); s.settimeout(${answerS}); s.connect((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    s.settimeout(float(line))
    try:
        s.send(b"x"); print(s.recv(100).decode() or "closed", flush=True)
    except OSError: print("nothing", flush=True)
`;

export interface Conversation {
  /** The next answer on the same TCP connection, or `nothing` when none came within `limitS` seconds. */
  say(limitS?: number): Promise<string>;
  close(): Promise<void>;
}

export function talk(namespace: string, address: string, port: number): Conversation {
  const words = ["netns", "exec", namespace, "python3", "-c", conversation, address, String(port)];
  const child = spawn("ip", words, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  return {
    say: async (limitS = answerS) => {
      const answer = once(lines, "line");
      child.stdin.write(`${limitS}\n`);
      return String((await answer)[0]);
    },
    close: () => end(child),
  };
}

export interface Pinging {
  /** Ends it after one more answer, up to which it counts: later ones may still be on their way. Where none comes all are counted. */
  stop(): Promise<{ readonly sent: number; readonly lost: number }>;
  close(): Promise<void>;
}

/** Twenty pings a second unless said otherwise; returns when the first was answered. */
export async function keepPinging(namespace: string, address: string, everyMs = 50): Promise<Pinging> {
  const words = ["netns", "exec", namespace, "ping", "-n", "-i", String(everyMs / 1000), address];
  const child = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const answered = (): ReadonlySet<number> =>
    new Set([...output.matchAll(/bytes from .*icmp_seq=(\d+) .*\n/g)].map(([, number]) => Number(number)));
  const anotherAnswer = (limitMs: number): Promise<true> => {
    const { size } = answered();
    return waitFor(() => answered().size > size, { limitMs, what: `an answer of ${address}` });
  };
  const close = (): Promise<void> => end(child);
  await anotherAnswer(10_000).catch(async (thrown: unknown) => {
    await close();
    throw thrown;
  });
  const stop = async (): Promise<{ sent: number; lost: number }> => {
    const isAnswered = await anotherAnswer(2_000).catch(() => false);
    const [closed, numbers] = [once(child, "close"), answered()];
    child.kill("SIGINT");
    await closed;
    if (isAnswered) {
      const sent = Math.max(...numbers);
      return { sent, lost: sent - numbers.size };
    }
    const [, sent = "0", received = "0"] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
    return { sent: Number(sent), lost: Number(sent) - Number(received) };
  };
  return { stop, close };
}
