// Filters by tags. The column `tags` is a JSON list as text; a tag is found in it by its own JSON form.
import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { TagFilter } from "../../types/resources/tags.ts";
import { joined } from "./joined-conditions.ts";

type Condition = RawBuilder<SqlBool>;

/** @param tags without commas, which separate them in queries */
export function tagCondition(filter: TagFilter, tags: readonly unknown[]): Condition {
  const each = tags.map((tag) => hasTag(String(tag)));
  const found = joined(each, filter.endsWith("-any") ? "or" : "and");
  return filter.startsWith("not-") ? sql<SqlBool>`(not (${found}))` : sql<SqlBool>`(${found})`;
}

/**
 * `["a","b"]` is looked at as `,"a","b"]`. Inside a JSON text a quote has a backslash before it, and behind a closing quote comes
 * a comma or the end: `,"b"` is there only where b is an item. The engines have no other search in common that minds the case.
 */
function hasTag(tag: string): Condition {
  const items = sql`(',' || substr(tags, 2))`;
  return sql<SqlBool>`(replace(${items}, ${`,${JSON.stringify(tag)}`}, '') <> ${items})`;
}
