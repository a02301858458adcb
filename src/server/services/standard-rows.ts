// What the rows of objects with a name have in common: how one begins, and how it changes.
import { randomUUID } from "node:crypto";
import type { Trx } from "../store/database.ts";
import { flag, inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { StandardColumns } from "../store/schema-columns.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, projectOf, type ServiceDeps, text, timestamp } from "./service-deps.ts";

/** What a new row begins with, of what a client sent. */
export const newNamedRow = (context: RequestContext, body: Attributes, now: string): StandardColumns => ({
  id: randomUUID(),
  project_id: projectOf(context, body),
  name: text(body["name"]) ?? "",
  description: text(body["description"]) ?? "",
  tags: "[]",
  revision_number: 1,
  created_at: now,
  updated_at: now,
});

/** With the name and the description that the client wants. */
export const renamed = <Row extends Pick<StandardColumns, "name" | "description">>(before: Row, changes: Attributes): Row => ({
  ...before,
  name: text(changes["name"]) ?? before.name,
  description: text(changes["description"]) ?? before.description,
});

/** `before` where the client says nothing. */
export const changedFlag = (changes: Attributes, attribute: string, before: 0 | 1): 0 | 1 =>
  has(changes, attribute) ? flag(changes[attribute]) : before;

/**
 * A new revision for objects that are others now to those who watch them; in the order of their ids, as rows are locked everywhere.
 *
 * @param table with `id`, `revision_number` and `updated_at`
 */
export async function touchRows(
  trx: Trx,
  deps: ServiceDeps,
  { table, ids }: { readonly table: keyof Database; readonly ids: readonly string[] },
): Promise<void> {
  const updatedAt = timestamp(deps);
  await inChunks([...new Set(ids)].sort(), (piece) =>
    trx
      // The cast: kysely wants to know one table.
      .updateTable(table as "networks")
      .set((eb) => ({ revision_number: eb("revision_number", "+", 1), updated_at: updatedAt }))
      .where("id", "in", piece)
      .execute(),
  );
}
