// Work that nobody waits for. The only place where a promise is let go of.
import type { Logger } from "../base/logger.ts";

/** Runs `work` and logs a failure as an error: nothing else will ever hear of it. */
export function runInBackground(log: Logger, message: string, work: () => Promise<unknown>): void {
  work().catch((err: unknown) => log.error({ err }, message));
}
