import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { batches } from "../../../../src/server/publisher/batches.ts";

test("batches keep every row in order, and only a single row may be over the limit", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), fc.integer({ min: 1, max: 60 }), (texts, maxBytes) => {
      const rows = texts.map((item, index) => ({ seq: index + 1, item }));

      const made = [...batches(rows, maxBytes)];

      assert.deepEqual(made.flat(), rows);
      for (const batch of made) {
        const bytes = batch.reduce((sum, { item }) => sum + Buffer.byteLength(item), 0);
        assert.ok(batch.length === 1 || bytes <= maxBytes);
      }
    }),
  );
});

test("what fits is one batch", () => {
  const rows = [1, 2, 3].map((seq) => ({ seq, item: "x".repeat(10) }));

  assert.equal([...batches(rows, 30)].length, 1);
  assert.equal([...batches(rows, 29)].length, 2);
});
