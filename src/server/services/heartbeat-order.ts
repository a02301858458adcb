// Whether a heartbeat says anything new: NATS may deliver one late, when a newer one has been heard already.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Heartbeat } from "../../types/agent-messages.ts";

export type HeartbeatNews = "new" | "new-boot" | "stale";

export interface HeartbeatOrderDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** A clock that is further off than this is worth a line, and a stamp this far back is a clock that was set, not a delay. */
  readonly maxSkewMs: number;
}

interface Last {
  readonly bootId: string;
  readonly sentAtMs: number | undefined;
}

export class HeartbeatOrder {
  readonly #deps: HeartbeatOrderDeps;
  readonly #last = new Map<string, Last>();

  constructor(deps: HeartbeatOrderDeps) {
    this.#deps = deps;
  }

  /**
   * Compares only what one agent says with what the same agent said before: the agents' clocks are not ours, and one that
   * goes wrong must not make a living agent look dead.
   */
  judge(key: string, { agent, sentAtMs: stamp }: Heartbeat): HeartbeatNews {
    const last = this.#last.get(key);
    const isNewBoot = last?.bootId !== agent.bootId;
    const sentAtMs = this.#readStamp(stamp, { host: agent.host, isNewBoot });
    const lateMs = (last?.sentAtMs ?? Number.NaN) - (sentAtMs ?? Number.NaN);
    if (lateMs > 0 && lateMs < this.#deps.maxSkewMs) return "stale";
    this.#last.set(key, { bootId: agent.bootId, sentAtMs });
    return isNewBoot ? "new-boot" : "new";
  }

  /** A bad stamp is as good as none. It is told once per process of the agent. */
  #readStamp(stamp: unknown, { host, isNewBoot }: { readonly host: string; readonly isNewBoot: boolean }): number | undefined {
    const { clock, log, maxSkewMs } = this.#deps;
    if (stamp === undefined) return undefined;
    if (typeof stamp !== "number" || !Number.isFinite(stamp) || stamp < 0) {
      if (isNewBoot) log.warn({ host, outcome: JSON.stringify(stamp) }, "heartbeat with a bad timestamp");
      return undefined;
    }
    const skewMs = Math.round(stamp - clock.nowMs());
    if (isNewBoot && Math.abs(skewMs) > maxSkewMs) log.warn({ host, ms: skewMs }, "clock of an agent is off");
    return stamp;
  }
}
