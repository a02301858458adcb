// Tests wait for a condition with a limit, never for a time.
import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  readonly limitMs: number;
  /** What is waited for; in the error when the limit passes. */
  readonly what: string;
  readonly everyMs?: number;
}

/** Resolves with the first value that is neither false nor undefined; what the condition throws counts as "not yet". */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | undefined>> {
  const endsAt = performance.now() + options.limitMs;
  let reason = "";
  for (;;) {
    try {
      const value = await condition();
      // The cast drops what the two comparisons have just excluded.
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      reason = "";
    } catch (thrown) {
      reason = `: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
    if (performance.now() >= endsAt) throw new Error(`waited ${options.limitMs} ms in vain for ${options.what}${reason}`);
    await delay(options.everyMs ?? 20);
  }
}
