// Stops an agent that no server hears any more from answering beside its successor. It asks a server again and again whether
// it is heard; each answer is good for a while, and when the last one has run out, what this host serves may be somebody
// else's. See docs/decisions: this is off unless an operator wants it.
import type { Clock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ServingReply } from "../types/agent-serving.ts";
import { type CancelTimer, repeatEvery, type Timers } from "./timers.ts";

/** Whoever serves, and can be told to stop and to go on. */
export interface Fenced {
  /** Whatever another host could be given stops answering on this one; what is wanted stays known. */
  fence(reason: string): void;
  unfence(): void;
}

export interface SelfFenceParts {
  /** So long after a server has last heard this agent it stops serving. */
  readonly fenceAfterMs: number;
  readonly renew: (timeoutMs: number) => Promise<ServingReply>;
  /** What was missed may have taken something from this host: nothing is served again before it is known. */
  readonly requestSync: (reason: string) => void;
  readonly agent: Fenced;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** Within the time that an answer is good for, so many others are asked for. */
const attemptsPerTerm = 5;
const longestPeriodMs = 10_000;

/** @param fenceAfterMs 0 or absent: never, and `undefined` is the answer */
export function openSelfFence(
  fenceAfterMs: number | undefined,
  parts: Omit<SelfFenceParts, "fenceAfterMs">,
): SelfFence | undefined {
  return fenceAfterMs === undefined || fenceAfterMs === 0 ? undefined : new SelfFence({ ...parts, fenceAfterMs });
}

export class SelfFence {
  readonly #parts: SelfFenceParts;
  readonly #periodMs: number;
  /** By the monotonic clock. A process that has never been answered has as long as any other. */
  #goodUntilMs: number;
  /** Unknown before the first answer. An earlier process may have left servers running that are others' by now. */
  #others: number | undefined;
  #isFenced = false;
  #isWarned = false;
  #cancelRepeat: CancelTimer = () => {};
  #cancelCheck: CancelTimer = () => {};

  constructor(parts: SelfFenceParts) {
    this.#parts = parts;
    this.#periodMs = Math.min(parts.fenceAfterMs / attemptsPerTerm, longestPeriodMs);
    this.#goodUntilMs = parts.clock.monotonicMs() + parts.fenceAfterMs;
  }

  get isFenced(): boolean {
    return this.#isFenced;
  }

  start(): void {
    this.#cancelRepeat = repeatEvery(this.#parts.timers, this.#periodMs, () => this.renewNow());
    void this.renewNow();
  }

  close(): void {
    this.#cancelRepeat();
    this.#cancelCheck();
  }

  /** Never rejects: no answer is what all this is about. */
  async renewNow(): Promise<void> {
    const { clock, log, renew } = this.#parts;
    const askedAtMs = clock.monotonicMs();
    try {
      this.#onAnswer(askedAtMs, await renew(this.#periodMs));
    } catch (thrown) {
      const err = thrown instanceof NetloomError && thrown.retryable ? thrown.message : thrown;
      log.debug({ err }, "no server said that it hears this agent");
    }
    this.#check();
  }

  /** The copy is right again: to be called after each sync. */
  onSynced(): void {
    if (!this.#isFenced || this.#parts.clock.monotonicMs() >= this.#goodUntilMs) return;
    this.#isFenced = false;
    this.#parts.log.info({}, "a server hears this agent again, it serves");
    this.#parts.agent.unfence();
  }

  /** The server's silence began before we asked: what it says is counted from when we asked, not from when it answered. */
  #onAnswer(askedAtMs: number, { silentMs, others, movesAfterMs }: ServingReply): void {
    const { clock, fenceAfterMs, log, requestSync } = this.#parts;
    this.#others = others;
    this.#goodUntilMs = Math.max(this.#goodUntilMs, askedAtMs - silentMs + fenceAfterMs);
    if (movesAfterMs !== null && fenceAfterMs > movesAfterMs && !this.#isWarned) {
      this.#isWarned = true;
      const reason = `fence_after_ms is ${fenceAfterMs}, failover_after_ms of the server ${movesAfterMs}`;
      log.warn({ reason }, "two hosts may serve the same before this one stops");
    }
    if (this.#isFenced && clock.monotonicMs() < this.#goodUntilMs) requestSync("fenced");
  }

  #check(): void {
    const { clock, timers, agent, log, fenceAfterMs } = this.#parts;
    this.#cancelCheck();
    const leftMs = this.#goodUntilMs - clock.monotonicMs();
    if (leftMs > 0) {
      this.#cancelCheck = timers.after(leftMs, () => this.#check());
      return;
    }
    // Alone, it is better to answer with what was known last than not at all.
    if (this.#isFenced || this.#others === 0) return;
    this.#isFenced = true;
    const reason = `no server has heard this agent for ${Math.round(fenceAfterMs / 100) / 10} s: others may serve it`;
    log.error({ reason }, "fenced, nothing is served");
    agent.fence(reason);
  }
}
