// So many at once and no queue: agents that all come back at the same moment are told when to come again, each a little after
// the one before, at the pace at which those that were let in are done. So a thousand of them neither sink the server nor knock
// in vain.
import { NetloomError } from "../../base/errors.ts";

export interface AdmissionOptions {
  readonly limit: number;
  /** How long somebody waits on average where nobody else does, in milliseconds. */
  readonly retryAfterMs: number;
  /** Longest: who waits longer may be gone. */
  readonly maxRetryAfterMs?: number;
  readonly random?: () => number;
  readonly nowMs?: () => number;
}

/** How much one more measurement counts. */
const smoothing = 0.2;
/** Appointments are made too early rather than too late: to be sent away once more costs little, an idle server much. */
const eagerness = 0.4;

export class Admission {
  readonly #options: Required<AdmissionOptions>;
  #running = 0;
  #workMs = 0;
  /** When the last one who was sent away is to come. */
  #lastAppointmentMs = 0;

  constructor(options: AdmissionOptions) {
    this.#options = { maxRetryAfterMs: 30_000, random: Math.random, nowMs: () => performance.now(), ...options };
  }

  /** Rejects with UNAVAILABLE and `retryAfterMs` when too many are in already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { limit, nowMs } = this.#options;
    if (this.#running >= limit) {
      throw new NetloomError("UNAVAILABLE", "too many agents are syncing", { retryAfterMs: this.#appoint() });
    }
    this.#running += 1;
    const startedAtMs = nowMs();
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#measure(nowMs() - startedAtMs);
    }
  }

  #appoint(): number {
    const { limit, retryAfterMs, maxRetryAfterMs, random, nowMs } = this.#options;
    const now = nowMs();
    const spacingMs = (this.#workMs / limit) * eagerness;
    const next = Math.max(this.#lastAppointmentMs + spacingMs, now + retryAfterMs / 2);
    this.#lastAppointmentMs = Math.min(next, now + maxRetryAfterMs);
    return Math.round(this.#lastAppointmentMs - now + retryAfterMs * random());
  }

  #measure(ms: number): void {
    this.#workMs = this.#workMs === 0 ? ms : this.#workMs + smoothing * (ms - this.#workMs);
  }
}

/**
 * Whoever was let in gets all pages: an agent that is sent away in between begins anew, and what it was given was for nothing.
 * Each asks for a page only when it has the one before.
 *
 * @param page with the cursor of the page before; none: the first
 */
export async function admitFirst<T>(
  admission: Admission,
  page: { readonly cursor?: string | undefined },
  work: () => Promise<T>,
): Promise<T> {
  return page.cursor === undefined ? admission.run(work) : work();
}
