import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type RangeRow, spansFor } from "../../../../src/server/services/segment-spans.ts";

const range = (id: string, minimum: number, maximum: number, more: Partial<RangeRow> = {}): RangeRow => ({
  ...{ id, minimum, maximum, next_id: minimum, shared: 1, project_id: "", physical_network: "blue" },
  ...more,
});

const of = (ranges: readonly RangeRow[], projectId = "p1", physicalNetwork: string | null = null): string[] =>
  spansFor(ranges, { projectId, physicalNetwork }).map(({ range: { id }, first, last }) => `${id} ${first}-${last}`);

test("a project is given its own ranges first, and nothing of another project's", () => {
  const ranges = [
    range("all", 1, 100),
    range("mine", 20, 29, { shared: 0, project_id: "p1" }),
    range("theirs", 40, 49, { shared: 0, project_id: "p2" }),
    range("red", 40, 49, { physical_network: "red" }),
  ];

  assert.deepEqual(of(ranges), ["mine 20-29", "all 1-39", "all 50-100", "red 40-49"]);
  assert.deepEqual(of(ranges, "p2", "blue"), ["theirs 40-49", "all 1-19", "all 30-100"]);
  assert.deepEqual(of(ranges, "p3", "red"), ["red 40-49"]);
  assert.deepEqual(of(ranges, "p3", "green"), []);
});

test("the search goes on behind the last one that was given out, and comes round", () => {
  assert.deepEqual(of([range("all", 1, 10, { next_id: 4 })]), ["all 4-10", "all 1-3"]);
  assert.deepEqual(of([range("all", 1, 10, { next_id: 11 })]), ["all 1-10"]);
  const hole = range("theirs", 3, 5, { shared: 0, project_id: "p2" });
  assert.deepEqual(of([range("all", 1, 10, { next_id: 4 }), hole]), ["all 6-10", "all 1-2"]);
});

test("every id that a project may have is in exactly one span of each range, and no other is", () => {
  const bounds = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 11 }));
  const cases = fc.tuple(bounds, fc.array(fc.tuple(bounds, fc.constantFrom("p1", "p2")), { maxLength: 4 }));
  fc.assert(
    fc.property(cases, ([[from, size, step], others]) => {
      const whole = range("all", from, from + size, { next_id: from + Math.min(step, size + 1) });
      const own = others.map(([[first, length], project_id], index) =>
        range(`own ${index}`, first, first + length, { shared: 0, project_id }),
      );
      const taken = (id: number): boolean =>
        own.some((one) => one.project_id === "p2" && id >= one.minimum && id <= one.maximum);
      const expected = Array.from({ length: size + 1 }, (_, index) => from + index).filter((id) => !taken(id));

      const spans = spansFor([whole, ...own], { projectId: "p1", physicalNetwork: null }).filter(
        (span) => span.range === whole,
      );

      const ids = spans.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
      assert.deepEqual(
        ids.toSorted((a, b) => a - b),
        expected,
      );
    }),
    { numRuns: 300 },
  );
});
