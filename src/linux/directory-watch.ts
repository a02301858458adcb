// Hears of files of one directory that come, change and go. Only a hint that spares waiting: whoever uses it looks again from time
// to time, and says so to it, since a watch can fail, and a directory that was made anew under the same name is another one.
import { type FSWatcher, statSync, watch } from "node:fs";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

/** As that of node:fs. */
export type OpenWatch = (
  directory: string,
  options: { readonly persistent: boolean },
  onEvent: (event: string, name: string | null) => void,
) => FSWatcher;

export interface DirectoryWatchParts {
  readonly directory: string;
  /** The name of a file, without its directory. */
  readonly onEvent: (name: string) => void;
  readonly log: Logger;
  /** What is logged when a watch breaks off, and when there cannot be one. */
  readonly messages: { readonly broken: string; readonly refused: string };
  readonly openWatch?: OpenWatch | undefined;
}

export class DirectoryWatch {
  readonly #parts: DirectoryWatchParts;
  #watcher: FSWatcher | undefined;
  /** Which directory of that name it is. */
  #watched: string | undefined;
  /** Told once, though it is tried again and again. */
  #isRefused = false;

  constructor(parts: DirectoryWatchParts) {
    this.#parts = parts;
  }

  /** Watches from now on, if it does not. @returns whether a watch began: what came before it was not heard of */
  ensure(): boolean {
    const { directory, onEvent, log, messages, openWatch = watch } = this.#parts;
    const present = statSync(directory, { throwIfNoEntry: false });
    // Numbers of inodes are given again.
    const identity = present && `${present.ino} ${present.birthtimeMs}`;
    if (this.#watcher !== undefined && identity === this.#watched) return false;
    this.close();
    if (identity === undefined) return false;
    try {
      const watcher = openWatch(directory, { persistent: false }, (_, name) => onEvent(String(name)));
      watcher.on("error", (err) => {
        log.warn({ err: errorText(err) }, messages.broken);
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
      this.#watched = identity;
      this.#isRefused = false;
      return true;
    } catch (thrown) {
      // There is no inotify instance left.
      if (!this.#isRefused) log.warn({ err: errorText(thrown) }, messages.refused);
      this.#isRefused = true;
      return false;
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
