// Removals that go on behind the caller's back: the kernel needs 100–150 ms for the devices of a namespace and some 20 ms
// for each bridge, and the caller has better things to do. What fails stays named by its mark, so that the next look at what
// is on this host finds and tries it again.
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";

export class Teardowns {
  readonly #log: Logger;
  readonly #running = new Map<NetworkId, Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** At most one for each network: call `settled` first. */
  start(networkId: NetworkId, work: () => Promise<void>): void {
    const ended = work()
      .catch((err: unknown) => this.#log.warn({ networkId, err }, "device not removed, will be repeated"))
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
}
