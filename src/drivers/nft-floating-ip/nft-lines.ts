// Changes of elements as one line of nft's language, and nft's JSON as elements. Pure.
import { NetloomError } from "../../base/errors.ts";
import { floatingIpObjects, routerTable } from "../l3-layout.ts";
import type { ObjectName } from "./elements.ts";

/** From one value to another; `undefined` where there is none. In a set every value is empty. */
export interface ElementChange {
  readonly object: ObjectName;
  readonly key: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** One line, hence one transaction: first all deletes, so that a key may get another value, and a moved one its old place. */
export function formatLine(changes: readonly ElementChange[]): string {
  const deletes = new Map<ObjectName, string[]>();
  const adds = new Map<ObjectName, string[]>();
  for (const { object, key, from, to } of changes) {
    if (from !== undefined) listOf(deletes, object).push(key);
    if (to !== undefined) listOf(adds, object).push(to === "" ? key : `${key} : ${to}`);
  }
  return [...commands("delete", deletes), ...commands("add", adds)].join("; ");
}

function listOf(lists: Map<ObjectName, string[]>, object: ObjectName): string[] {
  const list = lists.get(object) ?? [];
  lists.set(object, list);
  return list;
}

const commands = (verb: string, lists: ReadonlyMap<ObjectName, readonly string[]>): readonly string[] =>
  [...lists].map(([object, elements]) => `${verb} element inet ${routerTable} ${object} { ${elements.join(", ")} }`);

export const listLine = `list table inet ${routerTable}`;

/** What is used of libnftables-json(5). */
interface ListedObject {
  readonly name: string;
  readonly elem?: readonly unknown[];
}

const objectNames: ReadonlySet<string> = new Set(Object.values(floatingIpObjects).map(({ name }) => name));
/** nft tells protocols by name only where there is an /etc/protocols, which is in a package that it does without. */
const protocolNames: ReadonlyMap<unknown, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [33, "dccp"],
  [132, "sctp"],
]);
const protocolPlaces: ReadonlyMap<string, number> = new Map(
  Object.values(floatingIpObjects).map(({ name, type }) => [name, keyTypesOf(type).indexOf("inet_proto")]),
);
const isOurs = (name: string): name is ObjectName => objectNames.has(name);

/**
 * @returns for each object that is there the values by key
 * @throws NetloomError UNAVAILABLE for what is not nft's JSON
 */
export function parseTable(json: string): ReadonlyMap<ObjectName, ReadonlyMap<string, string>> {
  const tables = new Map<ObjectName, ReadonlyMap<string, string>>();
  for (const entry of parseEntries(json)) {
    const object = entry.map ?? entry.set;
    if (object === undefined || !isOurs(object.name)) continue;
    const isMap = entry.map !== undefined;
    const pairs = (object.elem ?? []).map((elem): [string, string] => {
      const [key, value] = isMap && Array.isArray(elem) ? (elem as readonly unknown[]) : [elem, undefined];
      return [partText(key, protocolPlaces.get(object.name)), value === undefined ? "" : partText(value)];
    });
    tables.set(object.name, new Map(pairs));
  }
  return tables;
}

function parseEntries(json: string): readonly { readonly map?: ListedObject; readonly set?: ListedObject }[] {
  try {
    // The cast: nft's own output.
    return (JSON.parse(json) as { nftables: readonly { map?: ListedObject; set?: ListedObject }[] }).nftables;
  } catch (thrown) {
    throw new NetloomError("UNAVAILABLE", "nft's list is not understood", { answer: json.slice(0, 200) }, thrown);
  }
}

/** Of what is looked up in a map, or is in a set: its parts, in order. */
function keyTypesOf(type: string): readonly string[] {
  return (type.split(" : ")[0] ?? "").split(" . ");
}

/** @param protocolAt which of several parts is a protocol */
function partText(part: unknown, protocolAt = -1): string {
  if (typeof part === "string" || typeof part === "number") return String(part);
  // The casts: the few shapes that elements of these types can have.
  const { concat, range, elem } = part as { concat?: readonly unknown[]; range?: readonly unknown[]; elem?: { val: unknown } };
  if (concat !== undefined) {
    return concat.map((one, at) => (at === protocolAt ? protocolNames.get(one) : undefined) ?? partText(one)).join(" . ");
  }
  if (range !== undefined) return range.map((one) => partText(one)).join("-");
  return elem === undefined ? JSON.stringify(part) : partText(elem.val, protocolAt);
}
