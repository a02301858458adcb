// Tells neighbours of addresses that came: at once, and again for those who did not hear. Nobody waits.
import type { NamespaceRunner } from "../../linux/namespace-worker.ts";
import type { RouterId } from "../../model/ids.ts";

/** Soon: a bridge forwards only a moment after a link came up. Whoever asked meanwhile would ask again after a second only. */
const repeatsAfterMs = [50, 250, 1000, 3000];

export class Announcer {
  readonly #worker: NamespaceRunner;
  readonly #timers = new Map<RouterId, readonly NodeJS.Timeout[]>();

  constructor(worker: NamespaceRunner) {
    this.#worker = worker;
  }

  /** @param frames by device */
  announce(id: RouterId, namespace: string, frames: ReadonlyMap<string, readonly Buffer[]>): void {
    if (frames.size === 0) return;
    this.forget(id);
    const send = (): void => {
      for (const [device, list] of frames) {
        // A device that went meanwhile has nobody to tell.
        this.#worker.run(namespace, [{ kind: "frames", device, frames: list }]).catch(() => {});
      }
    };
    send();
    this.#timers.set(
      id,
      repeatsAfterMs.map((afterMs) => setTimeout(send, afterMs).unref()),
    );
  }

  forget(id: RouterId): void {
    for (const timer of this.#timers.get(id) ?? []) clearTimeout(timer);
    this.#timers.delete(id);
  }

  close(): void {
    for (const id of [...this.#timers.keys()]) this.forget(id);
  }
}
