// The next page of a snapshot, read while the one before is on its way: who asked for a page asks for the next one in a moment.
import type { SnapshotPage } from "./snapshot-pages.ts";

interface Ahead {
  readonly page: Promise<SnapshotPage>;
  readonly timer: NodeJS.Timeout;
}

export interface PagesAheadOptions {
  /** More are not read ahead: those who ask for them wait, as for the first one. */
  readonly limit: number;
  /** A page that nobody asks for in this time, in milliseconds, is forgotten. */
  readonly keptMs: number;
}

export class PagesAhead {
  readonly #options: PagesAheadOptions;
  readonly #pages = new Map<string, Ahead>();

  constructor(options: PagesAheadOptions) {
    this.#options = options;
  }

  /** @param key agent and cursor */
  begin(key: string, read: () => Promise<SnapshotPage>): void {
    if (this.#pages.size >= this.#options.limit || this.#pages.has(key)) return;
    const page = read();
    // Whoever asks is told, or nobody is.
    page.catch(() => {});
    const timer = setTimeout(() => this.#pages.delete(key), this.#options.keptMs);
    timer.unref();
    this.#pages.set(key, { page, timer });
  }

  /** `undefined` when it was not read ahead, or that failed: then it is to be read. */
  async take(key: string): Promise<SnapshotPage | undefined> {
    const ahead = this.#pages.get(key);
    if (ahead === undefined) return undefined;
    this.#pages.delete(key);
    clearTimeout(ahead.timer);
    return ahead.page.catch(() => undefined);
  }

  get size(): number {
    return this.#pages.size;
  }
}
