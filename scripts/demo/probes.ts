// What an instance, or somebody outside, does to see whether the network works. Busybox is there: its udhcpc is the demo's client.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { waitFor } from "./api.ts";

const runFile = promisify(execFile);
const inside = (namespace: string, argv: readonly string[]): readonly string[] => [
  "netns",
  "exec",
  namespace,
  "busybox",
  ...argv,
];

/** Resolves with the time, milliseconds since the epoch, of the first answer. */
export async function firstPing(from: string, to: string): Promise<number> {
  return waitFor(`an answer from ${to} to ${from}`, 10_000, async () => {
    const isAnswered = await runFile("ip", [...inside(from, ["ping", "-c", "1", "-W", "1", to])]).then(
      () => true,
      () => false,
    );
    return isAnswered ? performance.timeOrigin + performance.now() : undefined;
  });
}

const fetchText = "fetch(process.argv[1]).then((answer) => answer.text()).then((text) => process.stdout.write(text))";

/** The body of what the URL answers to an instance. */
export async function read(from: string, url: string): Promise<string> {
  const argv = ["netns", "exec", from, process.execPath, "-e", fetchText, url];
  const { stdout } = await runFile("ip", argv, { timeout: 5000 });
  return stdout;
}
