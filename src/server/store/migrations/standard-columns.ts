import type { CreateTableBuilder } from "kysely";

/** The columns of StandardColumns, as they were in version 7 of the schema: a migration that has run once never changes. */
export function standardColumns(table: CreateTableBuilder<string>): CreateTableBuilder<string, string> {
  return table
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("tags", "text", (column) => column.notNull().defaultTo("[]"))
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull());
}
