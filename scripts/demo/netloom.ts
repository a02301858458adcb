// Runs bin/netloom the way a person would.
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

/** @returns standard output; throws with what the command said when it failed */
export async function netloom(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (exitCode !== 0) throw new Error(`netloom ${args[0]} ${args[1] ?? ""}: ${stderr().trim() || `exit code ${exitCode}`}`);
  return stdout();
}

export interface RunningUp {
  readonly url: string;
  readonly child: ChildProcess;
  /** Resolves with the exit code when it ends, whatever the reason. */
  readonly ended: Promise<number | null>;
}

export async function startUp(args: readonly string[]): Promise<RunningUp> {
  // A group of its own: Ctrl-C in the terminal must reach only the demo, which then takes everything down in order.
  const child = spawn(process.execPath, [launcher, "up", ...args], { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", () => {
      const ready = /^netloom is ready: (\S+)$/m.exec(stdout());
      if (ready?.[1] !== undefined) resolve(ready[1]);
    });
    ended.then((code) => reject(new Error(stderr().trim() || `netloom up ended with ${code}`)), reject);
  });
  return { url, child, ended };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  return () => text;
}

/** `wanted` when it is free, else any free port. */
export async function choosePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? wanted;
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = net.createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : undefined;
  } catch {
    return undefined;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
