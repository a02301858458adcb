// The mechanics of a list in one SQL statement: filters, sorting, pages. What an attribute means is the caller's table.
import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { isTagFilter } from "../../types/resources/tags.ts";
import { joined } from "./joined-conditions.ts";
import type { Database } from "./schema.ts";
import { tagCondition } from "./tag-conditions.ts";

export type Condition = RawBuilder<SqlBool>;
type Value = string | number | boolean | null;

export interface ListedTable {
  readonly table: keyof Database;
  /** Attribute of the API → column. */
  readonly columns: Readonly<Record<string, string>>;
  /** Filters that are more than a column in a list of values; some depend on the caller's project. Those of tags are the same everywhere. */
  readonly filters: Readonly<Record<string, (values: readonly Value[], projectId: string) => Condition>>;
  /** Sort keys that are no column: what they are of a row, never null. Of the caller's project, too. */
  readonly sorts?: Readonly<Record<string, (projectId: string) => RawBuilder<unknown>>>;
}

/** What tables with the columns of `StandardColumns` are listed by. */
export const standardColumns = {
  id: "id",
  name: "name",
  description: "description",
  project_id: "project_id",
  revision_number: "revision_number",
  created_at: "created_at",
  updated_at: "updated_at",
} as const;

export interface RowQuery {
  readonly filters: readonly { readonly attribute: string; readonly values: readonly Value[] }[];
  readonly sorts: readonly { readonly key: string; readonly direction: "asc" | "desc" }[];
  readonly limit?: number;
  readonly marker?: string;
  readonly pageReverse: boolean;
  readonly changedSince?: string;
}

interface Order {
  /** What it is called in the marker's row. */
  readonly column: string;
  readonly value: RawBuilder<unknown>;
  /** It is there without being asked for. */
  readonly isColumn: boolean;
  readonly ascending: boolean;
}

/**
 * @param visible what the caller may see; `undefined` for everything.
 * @param projectId of the caller, for the filters that depend on it
 * @returns `undefined` when there is no visible row with the marker's id.
 */
export async function listRows<Row>(
  db: Kysely<Database>,
  {
    listed,
    query,
    visible,
    projectId = "",
  }: { listed: ListedTable; query: RowQuery; visible: Condition | undefined; projectId?: string },
): Promise<readonly Row[] | undefined> {
  const orders = ordersOf(listed, query, projectId);
  const conditions = query.filters.map((filter) => condition(listed, filter, projectId));
  if (visible !== undefined) conditions.push(visible);
  if (query.changedSince !== undefined) conditions.push(sql<SqlBool>`updated_at >= ${query.changedSince}`);
  if (query.marker !== undefined) {
    const marker = await readMarker(db, listed, { id: query.marker, visible, orders });
    if (marker === undefined) return undefined;
    conditions.push(afterMarker(orders, marker));
  }
  const limit = query.limit ? sql` limit ${query.limit}` : sql``;
  const { rows } = await sql<Row>`select * from ${sql.table(listed.table)}${where(conditions)} order by ${sql.join(
    orders.map(orderBy),
  )}${limit}`.execute(db);
  return query.pageReverse ? rows.reverse() : rows;
}

function ordersOf(listed: ListedTable, query: RowQuery, projectId: string): readonly Order[] {
  const asked = query.sorts.map(({ key, direction }): Order => {
    const special = listed.sorts?.[key];
    const column = special === undefined ? columnOf(listed, key) : `sorted_by_${key}`;
    const value = special?.(projectId) ?? sql.ref(column);
    return { column, value, isColumn: special === undefined, ascending: direction === "asc" };
  });
  const last: Order = { column: "id", value: sql.ref("id"), isColumn: true, ascending: true };
  const total = asked.some((order) => order.column === "id") ? asked : [...asked, last];
  return query.pageReverse ? total.map((order) => ({ ...order, ascending: !order.ascending })) : total;
}

function columnOf(listed: ListedTable, attribute: string): string {
  const column = listed.columns[attribute];
  if (column === undefined) throw new RangeError(`${listed.table} cannot be listed by ${attribute}`);
  return column;
}

function condition(listed: ListedTable, { attribute, values }: RowQuery["filters"][number], projectId: string): Condition {
  if (isTagFilter(attribute)) return tagCondition(attribute, values);
  const special = listed.filters[attribute];
  return special === undefined ? columnIn(columnOf(listed, attribute), values) : special(values, projectId);
}

/** `column in (values)`, where null is a value like others. */
export function columnIn(column: string, values: readonly Value[]): Condition {
  const plain = values.filter(fitsColumn).map(stored);
  const ref = sql.ref(column);
  const parts: Condition[] = [];
  if (plain.length > 0) parts.push(sql<SqlBool>`${ref} in (${sql.join(plain)})`);
  if (values.includes(null)) parts.push(sql<SqlBool>`${ref} is null`);
  return anyOf(parts);
}

export function anyOf(parts: readonly Condition[]): Condition {
  return parts.length === 0 ? sql<SqlBool>`1 = 0` : sql<SqlBool>`(${joined(parts, "or")})`;
}

/** Of a filter by what is the same for all. */
export const always =
  (value: Value) =>
  (values: readonly Value[]): Condition =>
    values.includes(value) ? sql<SqlBool>`1 = 1` : sql<SqlBool>`1 = 0`;

/** No row has a number beyond 32 bits, and PostgreSQL refuses to look. */
const fitsColumn = (value: Value): boolean =>
  value !== null && (typeof value !== "number" || (Number.isInteger(value) && Math.abs(value) < 2 ** 31));

const stored = (value: Value): Value => (typeof value === "boolean" ? Number(value) : value);

function where(conditions: readonly Condition[]): RawBuilder<unknown> {
  return conditions.length === 0 ? sql`` : sql` where ${sql.join(conditions, sql` and `)}`;
}

/** null comes first in ascending order; the engines differ if nobody says so. */
function orderBy({ value, ascending }: Order): RawBuilder<unknown> {
  return ascending ? sql`${value} asc nulls first` : sql`${value} desc nulls last`;
}

type MarkerRow = Readonly<Record<string, string | number | null>>;

async function readMarker(
  db: Kysely<Database>,
  listed: ListedTable,
  { id, visible, orders }: { id: string; visible: Condition | undefined; orders: readonly Order[] },
): Promise<MarkerRow | undefined> {
  const wanted = [
    sql`*`,
    ...orders.flatMap(({ column, value, isColumn }) => (isColumn ? [] : [sql`${value} as ${sql.ref(column)}`])),
  ];
  const conditions = [sql<SqlBool>`id = ${id}`, ...(visible === undefined ? [] : [visible])];
  const { rows } = await sql<MarkerRow>`select ${sql.join(wanted)} from ${sql.table(listed.table)}${where(conditions)}`.execute(
    db,
  );
  return rows[0];
}

/** Rows behind the marker: equal in the first n columns and behind it in the next, for every n. */
function afterMarker(orders: readonly Order[], marker: MarkerRow): Condition {
  const cases = orders.map((order, index) => {
    const equal = orders.slice(0, index).map((before) => equalTo(before, marker[before.column] ?? null));
    return sql<SqlBool>`(${sql.join([...equal, behind(order, marker[order.column] ?? null)], sql` and `)})`;
  });
  return anyOf(cases);
}

function equalTo({ value: own }: Order, value: string | number | null): Condition {
  return value === null ? sql<SqlBool>`${own} is null` : sql<SqlBool>`${own} = ${value}`;
}

function behind({ value: own, ascending }: Order, value: string | number | null): Condition {
  if (ascending) return value === null ? sql<SqlBool>`${own} is not null` : sql<SqlBool>`${own} > ${value}`;
  return value === null ? sql<SqlBool>`1 = 0` : sql<SqlBool>`(${own} < ${value} or ${own} is null)`;
}
