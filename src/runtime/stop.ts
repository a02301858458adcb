// The orderly end of a program: what was opened last is closed first, and none of it may take longer than the limit.
import type { Logger } from "../base/logger.ts";
import type { Timers } from "./timers.ts";

export interface StopOptions {
  readonly log: Logger;
  readonly timers: Timers;
  readonly limitMs?: number;
  readonly exit: (code: number) => void;
}

/** Where the wish to stop comes from: the `process` object, or an emitter in tests. */
export interface StopSignals {
  on(event: "SIGTERM" | "SIGINT" | "disconnect", listener: () => void): unknown;
}

export class Stop {
  readonly #options: StopOptions;
  readonly #steps: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  #isStopping = false;

  constructor(options: StopOptions) {
    this.#options = options;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** `close` will be called before everything that was added earlier. */
  onStop(name: string, close: () => Promise<void> | void): void {
    this.#steps.unshift({ name, close });
  }

  /** SIGTERM and SIGINT stop; so does the end of the parent that started us with an IPC channel. */
  listen(signals: StopSignals): void {
    for (const event of ["SIGTERM", "SIGINT", "disconnect"] as const) signals.on(event, () => void this.stop(event));
  }

  /** Closes everything and exits; later calls do nothing. */
  async stop(reason: string, exitCode = 0): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { log, timers, exit, limitMs = 4_500 } = this.#options;
    log.info({ reason }, "stopping");
    const cancelLimit = timers.after(limitMs, () => {
      log.warn({ ms: limitMs }, "stopping took too long, leaving");
      exit(exitCode);
    });
    for (const { name, close } of this.#steps) {
      try {
        await close();
      } catch (err) {
        log.warn({ err, part: name }, "part did not close");
      }
    }
    cancelLimit();
    exit(exitCode);
  }
}
