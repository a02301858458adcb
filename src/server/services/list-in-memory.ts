// The mechanics of a list for what is few or partly computed: agents and leases.
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { Attributes, ListQuery } from "./resource-service.ts";
import { missing } from "./service-deps.ts";

type Comparable = string | number | boolean | null;

const comparable = (value: unknown): Comparable =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;

/** Without `changed_since`: nothing of these can be asked for it. */
export function listInMemory(
  items: readonly Attributes[],
  query: ListQuery,
  resource: ResourceDeclaration,
): readonly Attributes[] {
  const matching = items
    .filter((item) => query.filters.every(({ attribute, values }) => values.includes(comparable(item[attribute]))))
    .toSorted((left, right) => compare(left, right, query.sorts));
  return page(matching, query, resource);
}

function compare(left: Attributes, right: Attributes, sorts: ListQuery["sorts"]): number {
  for (const { key, direction } of [...sorts, { key: "id", direction: "asc" }]) {
    const order = compareValues(comparable(left[key]), comparable(right[key]));
    if (order !== 0) return direction === "asc" ? order : -order;
  }
  return 0;
}

/** null comes first. */
function compareValues(left: Comparable, right: Comparable): number {
  if (left === right) return 0;
  if (left === null || right === null) return left === null ? -1 : 1;
  return left < right ? -1 : 1;
}

function page(items: readonly Attributes[], query: ListQuery, resource: ResourceDeclaration): readonly Attributes[] {
  const { marker, pageReverse } = query;
  const limit = query.limit ?? items.length;
  if (marker === undefined) return pageReverse ? items.slice(Math.max(0, items.length - limit)) : items.slice(0, limit);
  const at = items.findIndex((item) => item["id"] === marker);
  if (at < 0) throw missing(resource, marker);
  return pageReverse ? items.slice(Math.max(0, at - limit), at) : items.slice(at + 1, at + 1 + limit);
}
