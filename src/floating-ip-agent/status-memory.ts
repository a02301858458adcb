// What the server was told of each floating IP, so that it is told again only when that changes.
import type { FloatingIpStatusReport } from "../types/l3-messages.ts";

export type FloatingIpStatus = NonNullable<FloatingIpStatusReport["floatingIps"]>[number];

const textOf = ({ revision, status, reason }: FloatingIpStatus): string => `${revision} ${status} ${reason ?? ""}`;

export class StatusMemory {
  readonly #report: (status: FloatingIpStatus) => void;
  readonly #told = new Map<string, string>();

  constructor(report: (status: FloatingIpStatus) => void) {
    this.#report = report;
  }

  /** Counts by status of what was told last, for people and scrapers. */
  counts(): Readonly<Record<FloatingIpStatus["status"], number>> {
    const counts = { ACTIVE: 0, DOWN: 0, ERROR: 0 };
    for (const text of this.#told.values()) {
      // The cast: texts are made by `textOf`.
      counts[text.split(" ")[1] as FloatingIpStatus["status"]] += 1;
    }
    return counts;
  }

  tell(status: FloatingIpStatus): void {
    const text = textOf(status);
    if (this.#told.get(status.id) === text) return;
    this.#told.set(status.id, text);
    this.#report(status);
  }

  /** It is not ours any more: the last word about it. */
  tellGone(status: FloatingIpStatus): void {
    this.#told.delete(status.id);
    this.#report(status);
  }

  /** The server may have forgotten everything. */
  forgetAll(): void {
    this.#told.clear();
  }
}
