// Whether dnsmasq has taken in what it was told. A signal or a changed file makes it runnable at once, and it sleeps again only
// when it has read everything: so asleep means done.
import { setTimeout as delay } from "node:timers/promises";
import { readProcessLoad } from "../../linux/process-load.ts";
import type { ProcessIdentity } from "../../linux/process-table.ts";

/** @returns false when it is still at work after `limitMs`; a process that is gone has nothing left to do */
export async function waitUntilSettled(server: ProcessIdentity, limitMs: number): Promise<boolean> {
  const endsAtMs = performance.now() + limitMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    if (readProcessLoad(server.pid)?.isSleeping !== false) return true;
    if (performance.now() >= endsAtMs) return false;
    await delay(pauseMs);
  }
}
