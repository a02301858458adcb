// Which segment ids a project may be given, and in which order they are tried: its own ranges before those of all, and
// nothing of a range that another project has for itself.
import type { NetworkSegmentRangesTable } from "../store/schema.ts";

export type RangeRow = Pick<
  NetworkSegmentRangesTable,
  "id" | "project_id" | "shared" | "physical_network" | "minimum" | "maximum" | "next_id"
>;

/** Ids from `first` to `last`, both of them too. */
export interface Span {
  readonly range: RangeRow;
  readonly first: number;
  readonly last: number;
}

type Interval = Pick<Span, "first" | "last">;

/**
 * @param ranges of one type, in a lasting order.
 * @param physicalNetwork null: any.
 */
export function spansFor(
  ranges: readonly RangeRow[],
  { projectId, physicalNetwork }: { readonly projectId: string; readonly physicalNetwork: string | null },
): readonly Span[] {
  const near = ranges.filter((range) => physicalNetwork === null || range.physical_network === physicalNetwork);
  const own = near.filter((range) => range.shared === 0 && range.project_id === projectId);
  const common = near.filter((range) => range.shared === 1);
  return [...own, ...common].flatMap((range) => {
    const foreign = range.shared === 1 ? near.filter((other) => isForeign(other, range, projectId)) : [];
    return fromCursor(range, without({ first: range.minimum, last: range.maximum }, foreign));
  });
}

const isForeign = (other: RangeRow, range: RangeRow, projectId: string): boolean =>
  other.shared === 0 && other.project_id !== projectId && other.physical_network === range.physical_network;

function without(whole: Interval, holes: readonly RangeRow[]): readonly Interval[] {
  let left: readonly Interval[] = [whole];
  for (const { minimum, maximum } of holes) {
    left = left.flatMap(({ first, last }) =>
      [
        { first, last: Math.min(last, minimum - 1) },
        { first: Math.max(first, maximum + 1), last },
      ].filter((part) => part.first <= part.last),
    );
  }
  return left;
}

/** What was freed last is given out last: whoever still sends frames on it shall not meet a stranger there. */
function fromCursor(range: RangeRow, intervals: readonly Interval[]): readonly Span[] {
  const { next_id: next } = range;
  const behind = intervals.flatMap(({ first, last }) => (last < next ? [] : [{ range, first: Math.max(first, next), last }]));
  const before = intervals.flatMap(({ first, last }) =>
    first >= next ? [] : [{ range, first, last: Math.min(last, next - 1) }],
  );
  return [...behind, ...before];
}
