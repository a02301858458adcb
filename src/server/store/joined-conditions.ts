// Many conditions as one. SQLite takes 1,000 levels of an expression and counts one for every `or` of a chain, so it gets a
// tree: of a client's thousands of tags it is a dozen levels high.
import { type RawBuilder, type SqlBool, sql } from "kysely";

type Condition = RawBuilder<SqlBool>;

/** @param parts at least one */
export function joined(parts: readonly Condition[], operator: "and" | "or"): Condition {
  const [first, second] = parts;
  if (first === undefined) throw new RangeError("no conditions to join");
  if (second === undefined) return first;
  const middle = Math.ceil(parts.length / 2);
  const left = joined(parts.slice(0, middle), operator);
  const right = joined(parts.slice(middle), operator);
  return operator === "and" ? sql<SqlBool>`(${left} and ${right})` : sql<SqlBool>`(${left} or ${right})`;
}
