// Which routers of high availability forward on this host: heard from a file that the hook of the VRRP process replaces at each
// transition, also while no agent ran. One watch for all; nothing is polled.
import { type FSWatcher, readFileSync, watch } from "node:fs";
import { makeDirectories } from "../base/directories.ts";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { type HaState, haStateDirectory, haStateFile } from "../drivers/l3-layout.ts";
import { isUuid, type RouterId, routerId } from "../model/ids.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";

export interface HaStateReport {
  readonly routerId: RouterId;
  readonly state: HaState;
}

export interface HaStatesParts {
  readonly stateDir: string;
  readonly timers: Timers;
  readonly log: Logger;
  readonly report: (report: HaStateReport) => void;
  /** So long a state must last before the server hears of it: one that is gone again within an advertisement is no news. */
  readonly confirmMs: number;
}

export class HaStates {
  readonly #parts: HaStatesParts;
  readonly #told = new Map<RouterId, HaState>();
  readonly #waiting = new Map<RouterId, CancelTimer>();
  #watcher: FSWatcher | undefined;

  constructor(parts: HaStatesParts) {
    this.#parts = parts;
  }

  /** @param onChange called with each router whose state was written, changed or not */
  async start(onChange: (router: RouterId) => void): Promise<void> {
    const directory = haStateDirectory(this.#parts.stateDir);
    await makeDirectories(directory);
    try {
      this.#watcher = watch(directory, { persistent: false }, (_, name) => {
        // Hidden ones are those that are being written.
        if (isUuid(String(name))) onChange(routerId(String(name)));
      });
      this.#watcher.on("error", () => this.close());
    } catch (thrown) {
      // Without an inotify instance each look at a router says it.
      this.#parts.log.warn({ err: errorText(thrown) }, "changes of state are seen by sweeps only");
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  /** Routers whose state is another than what was told: for whoever missed a change. */
  missed(): readonly RouterId[] {
    return [...this.#told].filter(([id, told]) => this.#read(id) !== told).map(([id]) => id);
  }

  /** Whether a VRRP process of it has spoken here, in this process' life or before. */
  isKnown(id: RouterId): boolean {
    return this.#read(id) !== "unknown";
  }

  /** Whether it forwards on this host, as was written last. */
  isPrimary(id: RouterId): boolean {
    return this.#read(id) === "primary";
  }

  /** The router is served; its state goes to the server when it lasts. */
  served(id: RouterId): void {
    if (this.#waiting.has(id) || this.#told.get(id) === this.#read(id)) return;
    const cancel = this.#parts.timers.after(this.#parts.confirmMs, () => this.#confirm(id, this.#read(id)));
    this.#waiting.set(id, cancel);
  }

  forget(id: RouterId): void {
    this.#told.delete(id);
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }

  /** The server may have lost what it was told: everything is told again with the next look at each router. */
  forgetAll(): void {
    this.#told.clear();
  }

  #confirm(id: RouterId, state: HaState): void {
    this.#waiting.delete(id);
    if (state === "unknown" || this.#told.get(id) === state) return;
    this.#told.set(id, state);
    this.#parts.log.info({ routerId: id, outcome: state }, "router of high availability is in another state");
    this.#parts.report({ routerId: id, state });
  }

  #read(id: RouterId): HaState {
    try {
      const word = readFileSync(haStateFile(this.#parts.stateDir, id), "utf8").trim();
      return word === "primary" || word === "backup" ? word : "unknown";
    } catch {
      return "unknown";
    }
  }
}
