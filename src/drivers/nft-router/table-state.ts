// What nft says of a router's table: which rules it has, told by a hash, and the elements of the router driver's own sets.
import { createHash } from "node:crypto";
import { NetloomError } from "../../base/errors.ts";
import { commandFailed, type CommandRunner } from "../../linux/command-runner.ts";
import { namespacePath } from "../../linux/netns.ts";
import type { NftRunner } from "../../linux/nft-shell-pool.ts";
import { routerTable } from "../l3-layout.ts";
import type { RouterSets } from "./router-sets.ts";
import { kindOf, setNames } from "./ruleset.ts";

export interface TableState {
  readonly chains: readonly string[];
  /** Of sets, chains and rules, without elements and without what the kernel numbers. */
  readonly rulesHash: string;
}

/** `undefined` when there is no such table. A child of its own: terse lists, which spare floating IPs' elements, are an option of nft. */
export async function readTable(runner: CommandRunner, namespace: string): Promise<TableState | undefined> {
  const argv = ["nsenter", `--net=${namespacePath(namespace)}`, ...["nft", "-t", "-j", "list", "table", "inet", routerTable]];
  const result = await runner.run(argv);
  if (result.exitCode !== 0) {
    if (/No such file or directory/.test(result.stderr)) return undefined;
    throw commandFailed(argv, result);
  }
  const objects = parseObjects(result.stdout);
  const plain = JSON.stringify(objects, (key, value: unknown) => (key === "handle" || key === "elem" ? undefined : value));
  return {
    chains: objects.flatMap((object) => (typeof object["chain"]?.name === "string" ? [object["chain"].name] : [])),
    rulesHash: createHash("sha256").update(plain).digest("hex").slice(0, 32),
  };
}

/** One object of nft's JSON: its kind, and what is said of it. */
type NftObject = Readonly<Record<string, { readonly name?: unknown; readonly elem?: unknown } | undefined>>;

function parseObjects(json: string): readonly NftObject[] {
  // The cast: nft's own output.
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly NftObject[] };
  // Its version says nothing of the table.
  return nftables.filter((object) => object["metainfo"] === undefined);
}

/** Throws NetloomError COMMAND_FAILED when one of them is missing. */
export async function readSets(nft: NftRunner, namespace: string, sets: RouterSets): Promise<RouterSets> {
  const read = await Promise.all(
    setNames(sets).map(async (name) => {
      const kind = kindOf(name);
      const answer = await nft.run(namespace, `list ${kind} inet ${routerTable} ${name}`);
      const object = parseObjects(answer).find((one) => one[kind] !== undefined);
      if (object === undefined) throw new NetloomError("COMMAND_FAILED", `nft lists no ${kind} ${name}`, { namespace });
      const elements = object[kind]?.elem;
      return [name, Array.isArray(elements) ? elements.map(elementText).toSorted() : []] as const;
    }),
  );
  // The cast: one entry for each name.
  return Object.fromEntries(read) as unknown as RouterSets;
}

/** As this driver writes elements. */
function elementText(element: unknown): string {
  if (typeof element === "string") return quoted(element);
  if (Array.isArray(element)) return element.map(elementText).join(" : ");
  const { concat } = Object(element);
  return Array.isArray(concat) ? concat.map(elementText).join(" . ") : JSON.stringify(element);
}

/** Names of devices in quotes: without them some would be words of nft. */
const quoted = (text: string): string => (/^q[rg]-/.test(text) ? `"${text}"` : text);

export const areSameSets = (one: RouterSets, other: RouterSets): boolean =>
  setNames(one).every((name) => one[name].join() === other[name].join());
