// One `ip -batch -` for all who ask at about the same time: while one child runs, what is asked for waits, and goes with the
// next. Who asks alone waits for nobody.
import type { CommandRunner } from "./command-runner.ts";
import { batchFailed } from "./ip.ts";

interface Item {
  readonly lines: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** So that one child's work, and the wait of those who come meanwhile, stays short. */
const mostItems = 50;

export class IpBatcher {
  readonly #runner: CommandRunner;
  #waiting: Item[] = [];
  #isRunning = false;

  constructor(runner: CommandRunner) {
    this.#runner = runner;
  }

  /**
   * Runs the lines in order, after which nobody else's come between them, and stops at the first that fails. The lines of
   * others are not touched by that: the failure ends the child, and another goes on behind the lines that failed.
   */
  run(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, resolve, reject });
      if (!this.#isRunning) void this.#work();
    });
  }

  /** Never rejects: each item has its own outcome. */
  async #work(): Promise<void> {
    this.#isRunning = true;
    // Those who ask in the same turn of the event loop belong together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#runBatch(this.#waiting.splice(0, mostItems));
    this.#isRunning = false;
  }

  async #runBatch(items: readonly Item[]): Promise<void> {
    const lines = items.flatMap((item) => item.lines);
    const argv = ["ip", "-batch", "-"];
    try {
      const result = await this.#runner.run(argv, { stdin: `${lines.join("\n")}\n` });
      if (result.exitCode === 0) {
        for (const item of items) item.resolve();
        return;
      }
      const failedLine = Number(/Command failed -:(\d+)/.exec(result.stderr)?.[1] ?? 0);
      this.#share(items, failedLine, batchFailed(argv, lines, result));
    } catch (error) {
      // No child, or one that was killed: how far it came nobody knows, so everybody has to look again.
      for (const item of items) item.reject(error);
    }
  }

  /** Before the line that failed all is done, behind it nothing was tried. */
  #share(items: readonly Item[], failedLine: number, error: unknown): void {
    let end = 0;
    const rest: Item[] = [];
    for (const item of items) {
      const start = end;
      end += item.lines.length;
      if (failedLine === 0 || (failedLine > start && failedLine <= end)) item.reject(error);
      else if (end < failedLine) item.resolve();
      else rest.push(item);
    }
    this.#waiting.unshift(...rest);
  }
}
