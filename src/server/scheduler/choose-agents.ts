// Which agents get a network: pure, so that the rules can be read and tested without a database.

export interface Candidate {
  readonly id: string;
  readonly zone: string;
  /** Networks that it hosts. */
  readonly load: number;
  /** Ports that it said it serves: decides between agents with equally many networks. */
  readonly ports?: number;
  /** Heard of lately; otherwise it is only not yet known to be dead. */
  readonly isConfirmedAlive: boolean;
}

export interface Wish {
  /** Agents that each network should have. */
  readonly wanted: number;
  readonly bound: readonly { readonly agentId: string; readonly slot: number; readonly zone: string }[];
  /** Only agents of these zones; of any zone when empty. */
  readonly zones?: readonly string[];
  /** `weight` when absent: the least loaded first. `chance`: any. */
  readonly order?: "weight" | "chance";
  readonly random?: () => number;
}

export interface Choice {
  readonly agentId: string;
  readonly slot: number;
}

/**
 * One after the other, each from the zone that has the fewest hosts of this network so far, and there the first in the
 * order; each with a slot that is free; at most as many as are missing.
 */
export function chooseAgents(candidates: readonly Candidate[], wish: Wish): readonly Choice[] {
  const { wanted, bound, zones = [] } = wish;
  const hosting = new Set(bound.map(({ agentId }) => agentId));
  const taken = new Set(bound.map(({ slot }) => slot));
  const slots = [...Array(wanted).keys()].filter((slot) => !taken.has(slot)).slice(0, Math.max(0, wanted - bound.length));
  const fit = candidates.filter(({ id, zone }) => !hosting.has(id) && (zones.length === 0 || zones.includes(zone)));
  const left = inOrder(fit, wish);
  const hosts = new Map<string, number>();
  for (const { zone } of bound) hosts.set(zone, (hosts.get(zone) ?? 0) + 1);
  const choices: Choice[] = [];
  for (const slot of slots) {
    const next = takeFirstOfEmptiestZone(left, hosts);
    if (next === undefined) break;
    hosts.set(next.zone, (hosts.get(next.zone) ?? 0) + 1);
    choices.push({ agentId: next.id, slot });
  }
  return choices;
}

/** Whoever may be dead comes after all that are not, whatever its zone. */
function takeFirstOfEmptiestZone(left: Candidate[], hosts: ReadonlyMap<string, number>): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of left) {
    const isBetter =
      best === undefined ||
      (candidate.isConfirmedAlive === best.isConfirmedAlive && (hosts.get(candidate.zone) ?? 0) < (hosts.get(best.zone) ?? 0));
    if (isBetter) best = candidate;
  }
  if (best !== undefined) left.splice(left.indexOf(best), 1);
  return best;
}

function inOrder(candidates: readonly Candidate[], { order = "weight", random = Math.random }: Wish): Candidate[] {
  const ranked = candidates.map((candidate) => ({ candidate, rank: order === "chance" ? random() : 0 }));
  return ranked
    .sort((one, other) => compareLife(one.candidate, other.candidate) || one.rank - other.rank || compareLoad(one, other))
    .map(({ candidate }) => candidate);
}

const compareLife = (one: Candidate, other: Candidate): number => Number(other.isConfirmedAlive) - Number(one.isConfirmedAlive);

function compareLoad({ candidate: one }: { candidate: Candidate }, { candidate: other }: { candidate: Candidate }): number {
  return one.load - other.load || (one.ports ?? 0) - (other.ports ?? 0) || (one.id < other.id ? -1 : 1);
}
