// The nft shells of many namespaces: made when first used, those not used for longest ended when there are too many, all of them
// ended after a while without work. A namespace that is removed loses its shell at once, since whoever is inside keeps it alive.
import type { NamespaceWatch } from "./namespace-watch.ts";
import { type NftRunOptions, NftShell } from "./nft-shell.ts";

export interface NftShellPoolOptions {
  /** Shells at the same time; one takes about 5 MB, most of them shared. */
  readonly maxShells?: number | undefined;
  /** A shell without work for so long is ended. */
  readonly idleMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly searchPath?: string | undefined;
  readonly watch?: NamespaceWatch | undefined;
}

/** What others need of the pool. */
export type NftRunner = Pick<NftShellPool, "run">;

interface Entry {
  readonly shell: NftShell;
  usedAtMs: number;
}

export class NftShellPool {
  readonly #options: NftShellPoolOptions;
  readonly #maxShells: number;
  readonly #idleMs: number;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #stopWatching: (() => void) | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #endedStarts = 0;

  constructor(options: NftShellPoolOptions = {}) {
    this.#options = options;
    this.#maxShells = options.maxShells ?? 64;
    this.#idleMs = options.idleMs ?? 300_000;
    this.#stopWatching = options.watch?.onChange((name) => this.#entries.get(name)?.shell.leaveIfGone());
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How often an nft was started. */
  get starts(): number {
    let starts = this.#endedStarts;
    for (const { shell } of this.#entries.values()) starts += shell.starts;
    return starts;
  }

  /** As `NftShell.run`. */
  run(namespace: string, line: string, options?: NftRunOptions): Promise<string> {
    return this.#use(namespace).run(line, options);
  }

  /** Starts a shell for a namespace that will be worked in soon. Throws NetloomError NOT_FOUND when it is not there. */
  warm(namespace: string): void {
    this.#use(namespace).warm();
  }

  /** The namespace gets another name, and keeps its shell. What had that name before has none any more. */
  async rename(from: string, to: string): Promise<void> {
    await this.#remove(to);
    const entry = this.#entries.get(from);
    if (entry === undefined) return;
    this.#entries.delete(from);
    this.#entries.set(to, entry);
    entry.shell.rename(to);
  }

  /** Ends the namespace's shell, for example before it is removed; what is under way there fails. */
  async forget(namespace: string): Promise<void> {
    await this.#remove(namespace);
  }

  /** For a sweep: no shell stays in a namespace that was removed or made anew, whether that was heard or not. */
  leaveGone(): void {
    for (const { shell } of this.#entries.values()) shell.leaveIfGone();
  }

  async close(): Promise<void> {
    this.#stopWatching?.();
    clearInterval(this.#idleTimer);
    await Promise.all([...this.#entries.keys()].map((namespace) => this.#remove(namespace)));
  }

  #use(namespace: string): NftShell {
    const { timeoutMs, searchPath, watch } = this.#options;
    watch?.start();
    const entry = this.#entries.get(namespace) ?? {
      shell: new NftShell({ namespace, timeoutMs, searchPath }),
      usedAtMs: 0,
    };
    entry.usedAtMs = performance.now();
    this.#entries.delete(namespace);
    this.#entries.set(namespace, entry);
    this.#bound(namespace);
    this.#idleTimer ??= setInterval(() => this.#endIdle(), Math.max(100, this.#idleMs / 4)).unref();
    return entry.shell;
  }

  #bound(used: string): void {
    for (const [namespace, { shell }] of this.#entries) {
      if (this.#entries.size <= this.#maxShells) return;
      if (namespace !== used && !shell.isBusy) void this.#remove(namespace);
    }
  }

  #endIdle(): void {
    const before = performance.now() - this.#idleMs;
    for (const [namespace, { shell, usedAtMs }] of this.#entries) {
      if (usedAtMs <= before && !shell.isBusy) void this.#remove(namespace);
    }
  }

  async #remove(namespace: string): Promise<void> {
    const entry = this.#entries.get(namespace);
    if (entry === undefined) return;
    this.#entries.delete(namespace);
    this.#endedStarts += entry.shell.starts;
    await entry.shell.close();
  }
}
