// Programs of ours tell whoever started them, once, that they are ready, or why they failed.
import type { ChildProcess } from "node:child_process";

/** What the launcher sends. */
interface Said {
  readonly type: "ready" | "failed";
  /** Of a server. */
  readonly url?: string;
  readonly message?: string;
}

/** Some of them wait ten seconds for others themselves. */
const readyMs = 60_000;

/**
 * Resolves when the program is ready. Rejects when it failed or ended instead (a first message alone may be the reason why it ends),
 * and when it says nothing for a minute, of which it does not live on.
 * @param stderr what it has written, if that is kept
 * @returns where a server listens; empty for agents
 */
export function untilReady(child: ChildProcess, stderr: () => string = () => ""): Promise<{ readonly url: string }> {
  const program = child.spawnargs.find((word) => /^(server|up|[a-z0-9-]+-agent)$/.test(word)) ?? child.spawnfile;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      fail(`said nothing for ${readyMs} ms`);
      child.kill("SIGKILL");
    }, readyMs);
    const fail = (how: string): void => {
      clearTimeout(timer);
      reject(new Error(`${program} ${how}: ${stderr()}`));
    };
    child.once("error", (thrown) => fail(`was not started: ${thrown.message}`));
    // Not "exit": what it said last may come after that.
    child.once("close", (code, signal) => fail(`ended with ${code ?? signal}`));
    child.once("message", ({ type, url = "", message = "" }: Said) => {
      if (type !== "ready") return fail(`failed: ${message}`);
      clearTimeout(timer);
      resolve({ url });
    });
  });
}
