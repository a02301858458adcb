// Hears of named network namespaces that come and go. Only a hint that spares waiting: whoever uses it looks for itself, and
// looks again from time to time, since a host may have no inotify instance left.
import { type FSWatcher, watch } from "node:fs";
import { namespaceDirectory } from "./netns.ts";

export class NamespaceWatch {
  readonly #listeners = new Set<(name: string) => void>();
  #watcher: FSWatcher | undefined;

  /** The directory comes with the first namespace of a host; until then, and where watching fails, there is nothing to hear. */
  start(): void {
    if (this.#watcher !== undefined) return;
    try {
      const watcher = watch(namespaceDirectory, { persistent: false });
      this.#watcher = watcher;
      watcher.on("change", (_, name) => {
        for (const listener of this.#listeners) listener(String(name));
      });
      watcher.on("error", () => this.close());
    } catch {
      // No such directory, or no inotify instance: the next start tries again.
      this.#watcher = undefined;
    }
  }

  /** @returns takes the listener away again */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    this.start();
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
