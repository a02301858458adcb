// How far one stream has been published. What was sent is not yet there: after a lost connection everything that the broker
// had not confirmed goes out again, because repeating is harmless and skipping is not.

export class StreamPosition {
  #sent: number;
  #confirmed: number;

  constructor(seq: number) {
    this.#sent = seq;
    this.#confirmed = seq;
  }

  get sent(): number {
    return this.#sent;
  }

  markSent(seq: number): void {
    this.#sent = seq;
  }

  /** Takes `seq` from `sent` of an earlier moment. */
  markConfirmed(seq: number): void {
    this.#confirmed = Math.max(this.#confirmed, Math.min(seq, this.#sent));
  }

  goBackToConfirmed(): void {
    this.#sent = this.#confirmed;
  }
}
