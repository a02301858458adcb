// What became of objects, as somebody was told it.
import assert from "node:assert/strict";

export interface Change {
  readonly action: string;
  readonly revision: number;
}

/** Object id → its changes in the order in which they were told. */
export type Histories = ReadonlyMap<string, readonly Change[]>;

/** Made once, changed in steps of one, gone once or as it is in the database. */
export function assertHistories(histories: Histories, rows: ReadonlyMap<string, number>): void {
  for (const id of rows.keys()) assert.ok(histories.has(id), `nothing was told of ${id}`);
  for (const [id, changes] of histories) {
    const told = changes.map(({ action, revision }) => `${action} ${revision}`).join(", ");
    const alive = changes.filter(({ action }) => action !== "delete");
    assert.deepEqual(
      alive.map(({ revision }) => revision),
      alive.map((_change, index) => index + (alive[0]?.revision ?? 0)),
      told,
    );
    assert.equal(alive.filter(({ action }) => action === "create").length, 1, told);
    assert.equal(alive[0]?.action, "create", told);
    assert.equal(changes.length - alive.length, rows.has(id) ? 0 : 1, told);
    if (rows.has(id)) assert.equal(alive.at(-1)?.revision, rows.get(id), told);
    else assert.equal(changes.at(-1)?.action, "delete", told);
  }
}
