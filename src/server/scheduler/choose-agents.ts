// Which agents get a network: pure, so that the rules can be read and tested without a database.

export interface Candidate {
  readonly id: string;
  /** Networks that it hosts. */
  readonly load: number;
  /** Heard of lately; otherwise it is only not yet known to be dead. */
  readonly isConfirmedAlive: boolean;
}

export interface Wish {
  /** Agents that each network should have. */
  readonly wanted: number;
  readonly bound: readonly { readonly agentId: string; readonly slot: number }[];
}

/** The least loaded first, each with a slot that is free; at most as many as are missing. */
export function chooseAgents(
  candidates: readonly Candidate[],
  { wanted, bound }: Wish,
): readonly { readonly agentId: string; readonly slot: number }[] {
  const hosting = new Set(bound.map(({ agentId }) => agentId));
  const taken = new Set(bound.map(({ slot }) => slot));
  const slots = [...Array(wanted).keys()].filter((slot) => !taken.has(slot));
  const missing = Math.max(0, Math.min(slots.length, wanted - bound.length));
  return candidates
    .filter(({ id }) => !hosting.has(id))
    .toSorted(compare)
    .slice(0, missing)
    .flatMap(({ id }, index) => {
      const slot = slots[index];
      return slot === undefined ? [] : [{ agentId: id, slot }];
    });
}

function compare(left: Candidate, right: Candidate): number {
  if (left.isConfirmedAlive !== right.isConfirmedAlive) return left.isConfirmedAlive ? -1 : 1;
  return left.load - right.load || (left.id < right.id ? -1 : 1);
}
