// Other spellings of the paths that are there, as Neutron takes them: clients that are older or made by a rule use them.
import { pathOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";

const start = "/v2.0/";

/** `/v2.0/address_groups` is `/v2.0/address-groups`, and the other way round; `/v2.0/networks.json` is `/v2.0/networks`. */
export function urlRewriter(resources: readonly ResourceDeclaration[]): (url: string) => string {
  const names = new Set(resources.map((resource) => pathOf(resource).split("/", 1)[0] ?? ""));
  const others = new Map<string, string>();
  for (const name of names) {
    for (const other of [name.replaceAll("-", "_"), name.replaceAll("_", "-")]) if (!names.has(other)) others.set(other, name);
  }
  return (url) => {
    if (!url.startsWith(start)) return url;
    const plain = withoutJsonSuffix(url);
    const [collection = ""] = plain.slice(start.length).split(/[/?]/, 1);
    const name = others.get(collection);
    return name === undefined ? plain : `${start}${name}${plain.slice(start.length + collection.length)}`;
  };
}

/** A tag may end so by itself. */
function withoutJsonSuffix(url: string): string {
  const [path = "", ...query] = url.split("?");
  if (!path.endsWith(".json") || path.includes("/tags/")) return url;
  return [path.slice(0, -".json".length), ...query].join("?");
}
