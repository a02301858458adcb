// Removals that go on behind the caller's back: the kernel needs 100–150 ms for the devices of a namespace and some 20 ms
// for each bridge, and the caller has better things to do. What fails stays named by its mark, and is remembered as failed
// until somebody has had the network in hand again.
import { performance } from "node:perf_hooks";
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";

interface Failure {
  readonly attempts: number;
  /** Not worth another try before. */
  readonly restsUntilMs: number;
}

const firstRestMs = 1000;
const mostRestMs = 60_000;

export class Teardowns {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #running = new Map<NetworkId, Promise<void>>();
  readonly #failures = new Map<NetworkId, Failure>();

  constructor(log: Logger, nowMs = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** At most one for each network: call `settled` first. */
  start(networkId: NetworkId, work: () => Promise<void>): void {
    const ended = work()
      .then(() => this.forget(networkId))
      .catch((err: unknown) => this.#noteFailure(networkId, err))
      .finally(() => this.#running.delete(networkId));
    this.#running.set(networkId, ended);
  }

  /** Resolves when nothing of the network is being removed. Never rejects. */
  async settled(networkId: NetworkId): Promise<void> {
    await this.#running.get(networkId);
  }

  async allSettled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Whether something waits for another try. Each failure of one network makes it rest for longer. */
  get hasDue(): boolean {
    const now = this.#nowMs();
    return [...this.#failures].some(([id, { restsUntilMs }]) => restsUntilMs <= now && !this.#running.has(id));
  }

  /** It is gone, or wanted again. */
  forget(networkId: NetworkId): void {
    this.#failures.delete(networkId);
  }

  #noteFailure(networkId: NetworkId, err: unknown): void {
    const attempts = (this.#failures.get(networkId)?.attempts ?? 0) + 1;
    const restMs = Math.min(firstRestMs * 2 ** (attempts - 1), mostRestMs);
    this.#failures.set(networkId, { attempts, restsUntilMs: this.#nowMs() + restMs });
    this.#log.warn({ networkId, err, attempt: attempts }, "device not removed, will be repeated");
  }
}
