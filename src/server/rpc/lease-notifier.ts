// Tells outside users that leases changed: `nl.notify.lease.<create|update|delete>`, each message an array. At most once, as
// all that is published: who must not miss anything lists the leases after a reconnect.
import type { Logger } from "../../base/logger.ts";
import type { Bus } from "../../messaging/bus.ts";
import { notifySubject } from "../../messaging/subjects.ts";
import type { LeaseChange } from "../services/lease-records.ts";

export interface LeaseNotifierDeps {
  readonly bus: Pick<Bus, "publish">;
  readonly log: Logger;
  /** What changes within this time goes in one message. */
  readonly batchMs?: number;
}

/** Some 200 kB: far below what a NATS server takes. */
const messageLeases = 500;
const waitingLimit = 20_000;

export class LeaseNotifier {
  readonly #deps: LeaseNotifierDeps;
  #waiting: LeaseChange[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: LeaseNotifierDeps) {
    this.#deps = deps;
  }

  /** After the commit of the changes. */
  add(changes: readonly LeaseChange[]): void {
    if (changes.length === 0) return;
    const room = waitingLimit - this.#waiting.length;
    if (changes.length > room) this.#deps.log.warn({ dropped: changes.length - room }, "too many lease changes to tell");
    for (const change of changes.slice(0, room)) this.#waiting.push(change);
    this.#timer ??= setTimeout(() => this.#flush(), this.#deps.batchMs ?? 200).unref();
  }

  close(): void {
    this.#flush();
  }

  /** One message for each run of equal actions, so that the order of a lease's changes is kept. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; ) {
      const action = waiting[start]?.action ?? "update";
      let end = start + 1;
      while (end < waiting.length && end - start < messageLeases && waiting[end]?.action === action) end += 1;
      this.#publish(action, waiting.slice(start, end));
      start = end;
    }
  }

  #publish(action: LeaseChange["action"], changes: readonly LeaseChange[]): void {
    try {
      this.#deps.bus.publish(notifySubject("lease", action), { leases: changes.map((change) => change.lease) });
    } catch (err) {
      this.#deps.log.debug({ err, dropped: changes.length }, "lease notification not sent");
    }
  }
}
