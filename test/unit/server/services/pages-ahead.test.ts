import assert from "node:assert/strict";
import { test } from "node:test";
import { PagesAhead } from "../../../../src/server/services/pages-ahead.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const page = { items: [], next: undefined };

test("a page is given out once; what was not read ahead, or could not be, is to be read", async () => {
  const ahead = new PagesAhead({ limit: 3, keptMs: 60_000 });
  let reads = 0;
  const read = async () => {
    reads += 1;
    return page;
  };
  ahead.begin("a", read);
  ahead.begin("a", read);
  ahead.begin("broken", async () => {
    throw new Error("no database");
  });
  assert.equal(await ahead.take("a"), page);
  assert.equal(await ahead.take("a"), undefined);
  assert.equal(await ahead.take("broken"), undefined);
  assert.equal(await ahead.take("never"), undefined);
  assert.deepEqual([reads, ahead.size], [1, 0]);
});

test("no more than so many are read ahead, and none is kept that nobody asks for", async () => {
  const ahead = new PagesAhead({ limit: 2, keptMs: 1 });
  const seen: string[] = [];
  for (const key of ["a", "b", "c"]) {
    ahead.begin(key, async () => {
      seen.push(key);
      return page;
    });
  }
  assert.deepEqual(seen, ["a", "b"]);
  await waitFor(() => Promise.resolve(ahead.size === 0), { limitMs: 10_000, what: "the pages to be forgotten" });
  assert.equal(await ahead.take("a"), undefined);
});
