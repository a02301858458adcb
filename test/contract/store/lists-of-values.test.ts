// Conditions of the form `column in (values)`: each engine is told in its own way, and both mean the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database } from "../../../src/server/store/schema.ts";
import { inChunks } from "../../../src/server/store/rows.ts";
import { forEachDatabase } from "../../helpers/databases.ts";

type Quota = Database["quotas"];

const awkward = ["", "a,b", '{"x"}', "it's", "\\", '"', "ü字🙂", "null", "NULL", "line\nbreak"];

forEachDatabase((_engine, openFresh) => {
  test("finds what is in the list and nothing else, however long it is and whatever the texts look like", async () => {
    const { db } = await openFresh();
    const names = [...awkward, ...Array.from({ length: 9000 }, (_, index) => `project-${index}`)];
    const row = (project_id: string, index: number) => ({ project_id, resource: "port", max_count: index }) as Quota;
    for (let at = 0; at < names.length; at += 1000) {
      const piece = names.slice(at, at + 1000).map((name, index) => row(name, at + index));
      await db.insertInto("quotas").values(piece).execute();
    }
    for (const wanted of [
      awkward,
      awkward.slice(0, 2),
      ["it's"],
      names.slice(0, 5000),
      ["nobody", ...Array<string>(20).fill("a,b")],
    ]) {
      const found = await inChunks(wanted, (piece) =>
        db.selectFrom("quotas").select("project_id").where("project_id", "in", piece).execute(),
      );
      const expected = new Set(wanted.filter((one) => names.includes(one)));
      assert.deepEqual(new Set(found.map(({ project_id }) => project_id)), expected);
      assert.equal(found.length, expected.size);
    }
    const numbers = Array.from({ length: 12 }, (_, index) => index);
    const byNumber = await db.selectFrom("quotas").select("max_count").where("max_count", "in", numbers).execute();
    assert.deepEqual(
      byNumber.map(({ max_count }) => Number(max_count)).sort((a, b) => a - b),
      numbers,
    );
  });

  test("a list may be used to change and to remove, and an empty one finds nothing", async () => {
    const { db } = await openFresh();
    const names = Array.from({ length: 30 }, (_, index) => `p${index}`);
    await db
      .insertInto("quotas")
      .values(names.map((project_id) => ({ project_id, resource: "port", max_count: 1 })))
      .execute();
    const some = names.slice(0, 20);
    await db.updateTable("quotas").set({ max_count: 2 }).where("project_id", "in", some).execute();
    await db.deleteFrom("quotas").where("project_id", "in", some.slice(0, 10)).where("max_count", "=", 2).execute();
    const left = await db.selectFrom("quotas").select(["project_id", "max_count"]).orderBy("project_id").execute();
    assert.equal(left.length, 20);
    assert.equal(left.filter(({ max_count }) => max_count === 2).length, 10);
    assert.deepEqual(await db.selectFrom("quotas").selectAll().where("project_id", "in", []).execute(), []);
  });
});
