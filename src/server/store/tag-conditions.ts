// Filters by tags. The column `tags` is a JSON list as text; a tag is found in it by its own JSON form.
import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { TagFilter } from "../../types/resources/tags.ts";

type Condition = RawBuilder<SqlBool>;

/** @param tags without commas, which separate them in queries */
export function tagCondition(filter: TagFilter, tags: readonly unknown[]): Condition {
  const each = tags.map((tag) => hasTag(String(tag)));
  const found = sql<SqlBool>`(${sql.join(each, filter.endsWith("-any") ? sql` or ` : sql` and `)})`;
  return filter.startsWith("not-") ? sql<SqlBool>`(not ${found})` : found;
}

/**
 * `["a","b"]` is looked at as `,"a","b"]`. Inside a JSON text a quote has a backslash before it, and behind a closing quote comes
 * a comma or the end: `,"b"` is there only where b is an item. The engines have no other search in common that minds the case.
 */
function hasTag(tag: string): Condition {
  const items = sql`(',' || substr(tags, 2))`;
  return sql<SqlBool>`(replace(${items}, ${`,${JSON.stringify(tag)}`}, '') <> ${items})`;
}
