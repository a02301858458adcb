import assert from "node:assert/strict";
import { test } from "node:test";
import { buffer } from "node:stream/consumers";
import type { ListFacts } from "../../../../src/server/api/links.ts";
import { writeList } from "../../../../src/server/api/list-answer.ts";

const items = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `id-${index}`, secret: index }));
const link = { rel: "next", href: "http://a/?marker=1" } as const;

async function read(body: ReturnType<typeof writeList>): Promise<unknown> {
  return JSON.parse((Buffer.isBuffer(body) ? body : await buffer(body)).toString());
}

for (const count of [0, 1, 127, 128, 129, 256, 1000]) {
  test(`a list of ${count} has each item once, and links made of its ends`, async () => {
    const all = items(count);
    let seen: ListFacts | undefined;
    const body = writeList({
      ...{ collection: "ports", items: all, view: ({ id }) => ({ id }) },
      linksOf: (facts) => {
        seen = facts;
        return [link];
      },
    });

    assert.deepEqual(await read(body), { ports: all.map(({ id }) => ({ id })), ports_links: [link] });
    assert.deepEqual(seen, { count, first: all[0], last: all.at(-1) });
    assert.equal(Buffer.isBuffer(body), count <= 128);
  });
}

test("a list without links names none", async () => {
  const body = writeList({ collection: "ports", items: [], view: (item) => item, linksOf: () => [] });
  assert.deepEqual(await read(body), { ports: [] });
});

test("of a long list the first items are on their way before the last ones are made", async () => {
  let made = 0;
  function* slowly() {
    for (const item of items(1000)) {
      made += 1;
      yield item;
    }
  }
  const body = writeList({ collection: "ports", items: slowly(), view: (item) => item, linksOf: () => [] });
  assert.ok(!Buffer.isBuffer(body));
  for await (const _ of body) {
    assert.ok(made < 1000, `${made} are made`);
    break;
  }
});
