// Marks of what a snapshot has touched wait for its end: half a snapshot must not be applied to the host.
import type { Lane } from "./reconcile-queue.ts";

export class HeldMarks<Id> {
  readonly #mark: (id: Id, lane: Lane) => void;
  /** `undefined` outside of a snapshot. */
  #held: Set<Id> | undefined;

  /** @param mark of those that do not wait */
  constructor(mark: (id: Id, lane: Lane) => void) {
    this.#mark = mark;
  }

  mark(id: Id, lane: Lane): void {
    if (this.#held === undefined) this.#mark(id, lane);
    else this.#held.add(id);
  }

  /** A second snapshot adds to what waits for the first, which was broken off. */
  hold(): void {
    this.#held ??= new Set();
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const id of held) this.#mark(id, "event");
  }
}
