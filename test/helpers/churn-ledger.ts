// What clients may hear while ports come and go: pure. Each port has a MAC of its own; addresses go from one to the next.
// Moments are performance.now() of one process.

export interface Tenure {
  readonly id: string;
  readonly mac: string;
  readonly address: string;
  /** When its creation was asked for. */
  readonly askedAt: number;
  /** When it was first seen as announced ready. */
  readyAt?: number;
  /** Between these two it goes. */
  deleteAskedAt?: number;
  deletedAt?: number;
}

export interface Heard {
  readonly mac: string;
  readonly askedAt: number;
  readonly answeredAt: number;
  /** Undefined: nobody answered in the time that a client may have to wait. */
  readonly address: string | undefined;
}

/** One network's ports, as the API says; every one that ever was. */
export class ChurnLedger {
  readonly #byMac = new Map<string, Tenure>();

  add(tenure: Tenure): void {
    this.#byMac.set(tenure.mac, tenure);
  }

  get all(): readonly Tenure[] {
    return [...this.#byMac.values()];
  }

  get living(): readonly Tenure[] {
    return this.all.filter(({ deleteAskedAt }) => deleteAskedAt === undefined);
  }

  /** Ports that a later one's owner of the address can meet: how often addresses were used again. */
  get reuses(): number {
    return this.#byMac.size - new Set(this.all.map(({ address }) => address)).size;
  }

  /**
   * The agent hears of a network's changes in their order. So where a port that was created after this one's deletion has been
   * announced ready, the deletion is in force too, whoever was killed in between.
   */
  goneSince(tenure: Tenure): number | undefined {
    const { deletedAt } = tenure;
    if (deletedAt === undefined) return undefined;
    const later = this.all.filter(({ askedAt, readyAt }) => askedAt > deletedAt && readyAt !== undefined);
    return later.length === 0 ? undefined : Math.min(...later.map(({ readyAt = Infinity }) => readyAt));
  }

  /** What is wrong with it; undefined: nothing. Tolerant of nothing but of what was under way when it was asked. */
  judge({ mac, askedAt, answeredAt, address }: Heard): string | undefined {
    const tenure = this.#byMac.get(mac);
    if (tenure === undefined) return address === undefined ? undefined : `${mac} never had a port and got ${address}`;
    if (address === undefined) {
      const wasReady = tenure.readyAt !== undefined && tenure.readyAt <= askedAt;
      const stayed = tenure.deleteAskedAt === undefined || tenure.deleteAskedAt > answeredAt;
      return wasReady && stayed ? `${mac} was ready and nobody answered for ${Math.round(answeredAt - askedAt)} ms` : undefined;
    }
    if (address !== tenure.address) return `${mac} has ${tenure.address} and got ${address}`;
    const goneSince = this.goneSince(tenure);
    return goneSince !== undefined && goneSince < askedAt ? `${mac} is gone and got ${address}` : undefined;
  }
}
