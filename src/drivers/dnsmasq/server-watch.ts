// Looks whether the servers that this process knows live, and ends those that live and hang.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { isAlive, isPidHeld, lookAtProcess, sendSignal } from "../../linux/process-table.ts";
import type { NetworkId } from "../../model/ids.ts";
import { HangWatch } from "./hang-watch.ts";
import type { Picture } from "./picture.ts";

/** In between somebody else may have the pid of a server that died. */
const thoroughEveryMs = 2_000;

export class ServerWatch {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #hangs = new HangWatch();
  #thoroughAtMs = -Infinity;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  forget(id: NetworkId): void {
    this.#hangs.forget(id);
  }

  findDead(pictures: ReadonlyMap<NetworkId, Picture>): readonly NetworkId[] {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#thoroughAtMs < thoroughEveryMs) {
      return [...pictures].filter(([, { server }]) => !isPidHeld(server.pid) && !isAlive(server)).map(([id]) => id);
    }
    this.#thoroughAtMs = nowMs;
    return this.#lookClosely(pictures, nowMs);
  }

  /** One that hangs is found dead by the next look. SIGTERM it would not hear. */
  #lookClosely(pictures: ReadonlyMap<NetworkId, Picture>, nowMs: number): readonly NetworkId[] {
    const judge = this.#hangs.beginLook(nowMs);
    const dead: NetworkId[] = [];
    for (const [id, { server, loaded }] of pictures) {
      const look = lookAtProcess(server.pid);
      if (look?.startTime !== server.startTime) {
        this.#hangs.forget(id);
        dead.push(id);
        continue;
      }
      const reason = judge(id, { server, state: look.state, hosts: loaded.hosts.lines.size });
      if (reason === undefined) continue;
      this.#log.warn({ networkId: id, reason }, "dnsmasq hangs, killed");
      sendSignal(server, "SIGKILL");
    }
    return dead;
  }
}
