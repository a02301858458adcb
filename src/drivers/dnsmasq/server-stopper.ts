// Ends dnsmasq processes: SIGTERM and time to obey, because one that is killed outright can leave children that hold its DNS
// sockets, and its successor cannot bind. A slow one does not hold up the caller: what is not over after a short while is
// continued at the next attempt.
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../../base/errors.ts";
import { isAlive, type ProcessIdentity, sendSignal } from "../../linux/process-table.ts";

export interface StopLimits {
  /** How long one attempt waits. */
  readonly sliceMs: number;
  /** From SIGTERM to SIGKILL, over all attempts. */
  readonly graceMs: number;
}

const defaultLimits: StopLimits = { sliceMs: 2000, graceMs: 5000 };

const keyOf = ({ pid, startTime }: ProcessIdentity): string => `${pid}:${startTime}`;

export class ServerStopper {
  readonly #limits: StopLimits;
  /** When each was asked to end. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(limits: StopLimits = defaultLimits) {
    this.#limits = limits;
  }

  /** Resolves when all are gone; those that were gone before are success. UNAVAILABLE: not yet, call again. */
  async stop(servers: readonly ProcessIdentity[]): Promise<void> {
    const endsAtMs = performance.now() + this.#limits.sliceMs;
    let left = servers.filter((server) => this.#isLeft(server));
    for (let pauseMs = 2; left.length > 0; pauseMs = Math.min(pauseMs * 2, 50)) {
      if (performance.now() >= endsAtMs) {
        const pids = left.map((server) => server.pid);
        throw new NetloomError("UNAVAILABLE", `dnsmasq has not ended yet: ${pids.join(", ")}`, { pids });
      }
      await delay(pauseMs);
      left = left.filter((server) => this.#isLeft(server));
    }
  }

  /** Asks, or insists when it was asked long ago. */
  #isLeft(server: ProcessIdentity): boolean {
    const key = keyOf(server);
    if (!isAlive(server)) {
      this.#askedAtMs.delete(key);
      return false;
    }
    const nowMs = performance.now();
    const askedAtMs = this.#askedAtMs.get(key);
    if (askedAtMs === undefined) {
      if (!sendSignal(server, "SIGTERM")) return false;
      this.#askedAtMs.set(key, nowMs);
      // One that somebody has stopped hears it only when it goes on.
      sendSignal(server, "SIGCONT");
      return true;
    }
    if (nowMs - askedAtMs >= this.#limits.graceMs) sendSignal(server, "SIGKILL");
    return true;
  }
}
