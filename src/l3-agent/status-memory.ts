// What the server was told of each router, so that it is told again only when that changes.
import type { RouterId } from "../model/ids.ts";

export interface RouterStatus {
  readonly id: RouterId;
  /** The one that the kernel equals, or that failed. */
  readonly revision: number;
  readonly status: "ACTIVE" | "ERROR";
  readonly reason: string | null;
}

export class StatusMemory {
  readonly #report: (status: RouterStatus) => void;
  readonly #told = new Map<RouterId, string>();

  constructor(report: (status: RouterStatus) => void) {
    this.#report = report;
  }

  tell({ id, revision, status, reason }: RouterStatus): void {
    const text = `${revision} ${status} ${reason ?? ""}`;
    if (this.#told.get(id) === text) return;
    this.#told.set(id, text);
    this.#report({ id, revision, status, reason });
  }

  forget(id: RouterId): void {
    this.#told.delete(id);
  }

  /** The server may have lost what it was told: everything is told again at the next reconcile. */
  forgetAll(): void {
    this.#told.clear();
  }
}
