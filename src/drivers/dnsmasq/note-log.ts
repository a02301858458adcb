// Tells what was left out of dnsmasq's files once, and again only when it is something else.
import type { Logger } from "../../base/logger.ts";
import type { NetworkId } from "../../model/ids.ts";
import { describeNotes, type Note } from "./notes.ts";

export class Notes {
  readonly #log: Logger;
  readonly #told = new Map<NetworkId, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  tell(id: NetworkId, notes: readonly Note[]): void {
    const text = describeNotes(notes);
    if ((this.#told.get(id) ?? "") === text) return;
    this.#told.set(id, text);
    if (text === "") return;
    const level = notes.some((note) => note.level === "warn") ? "warn" : "info";
    this.#log[level]({ networkId: id, reason: text }, "left out of dnsmasq's files");
  }

  forget(id: NetworkId): void {
    this.#told.delete(id);
  }
}
