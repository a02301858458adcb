// Which routers of high availability forward on this host: heard from a file that the hook of the VRRP process replaces at each
// transition, also while no agent ran. One watch for all; states are read again only after a time without one.
import { readdirSync, readFileSync } from "node:fs";
import { makeDirectories } from "../base/directories.ts";
import type { Logger } from "../base/logger.ts";
import { type HaState, haStateDirectory, haStateFile } from "../drivers/l3-layout.ts";
import { DirectoryWatch, type OpenWatch } from "../linux/directory-watch.ts";
import { isUuid, type RouterId, routerId } from "../model/ids.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";

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
  readonly openWatch?: OpenWatch | undefined;
}

/** So often it is looked whether the directory is watched. */
const lookMs = 2_000;

export class HaStates {
  readonly #parts: HaStatesParts;
  readonly #told = new Map<RouterId, HaState>();
  readonly #waiting = new Map<RouterId, CancelTimer>();
  #watch: DirectoryWatch | undefined;
  #cancelLook: CancelTimer = () => {};

  constructor(parts: HaStatesParts) {
    this.#parts = parts;
  }

  /** @param onChange called with each router whose state was written, changed or not */
  async start(onChange: (router: RouterId) => void): Promise<void> {
    const { stateDir, timers, log, openWatch } = this.#parts;
    const directory = haStateDirectory(stateDir);
    await makeDirectories(directory);
    const watch = new DirectoryWatch({
      ...{ directory, log, openWatch },
      // Hidden ones are those that are being written.
      onEvent: (name) => isUuid(name) && onChange(routerId(name)),
      messages: {
        broken: "watching changes of state failed, begins anew with the next look",
        // Each look at a router says it.
        refused: "changes of state are seen by sweeps only",
      },
    });
    this.#watch = watch;
    watch.ensure();
    this.#cancelLook = repeatEvery(timers, lookMs, async () => {
      if (watch.ensure()) for (const id of this.#untold()) onChange(id);
    });
  }

  close(): void {
    this.#cancelLook();
    this.#watch?.close();
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
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

  /** Routers whose state is another than what was told. */
  #untold(): readonly RouterId[] {
    const names = readdirSync(haStateDirectory(this.#parts.stateDir)).filter(isUuid);
    return names.map(routerId).filter((id) => this.#read(id) !== this.#told.get(id));
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
