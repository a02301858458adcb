// What the kernel must have of each router, told from the REST API alone, and what it has: both as sorted lines of text, so that a
// test can compare them element by element. Knows nothing of the drivers' code.
import { sh } from "./namespaces.ts";
import type { Json, RestClient } from "./rest-client.ts";

/** Lines by router id. */
type Truth = ReadonlyMap<string, readonly string[]>;

type Row = Json & { readonly id: string };

interface FixedIp {
  readonly subnet_id: string;
  readonly ip_address: string;
}

interface Lists {
  readonly ports: ReadonlyMap<string, Row>;
  readonly subnets: ReadonlyMap<string, Row>;
  readonly networks: ReadonlyMap<string, Row>;
  readonly floatingIps: readonly Row[];
}

const byId = (rows: readonly Row[]): ReadonlyMap<string, Row> => new Map(rows.map((row) => [row.id, row]));
const shortOf = (id: string): string => id.slice(0, 11);

/** The table's own name, and the place where keepalived puts its addresses. */
const tableName = "netloom";
const virtualPrefix = "169.254.0.";

async function readWishes(client: RestClient): Promise<Truth> {
  const [routers, ports, subnets, networks, floatingIps] = await Promise.all(
    ["router", "port", "subnet", "network", "floatingip"].map((kind) => client.list(kind)),
  );
  const lists: Lists = {
    ports: byId(ports ?? []),
    subnets: byId(subnets ?? []),
    networks: byId(networks ?? []),
    floatingIps: floatingIps ?? [],
  };
  return new Map((routers ?? []).map((router) => [router.id, wishesOf(router.id, lists).toSorted()]));
}

function wishesOf(routerId: string, lists: Lists): readonly string[] {
  const own = [...lists.ports.values()].filter((port) => port["device_id"] === routerId);
  const of = (kind: string): readonly Row[] => own.filter((port) => String(port["device_owner"]).startsWith(`network:${kind}`));
  const [gateway] = of("router_gateway");
  const qg = gateway === undefined ? "" : `qg-${shortOf(gateway.id)}`;
  const inner = of("router_interface").map((port) => ({ port, device: `qr-${shortOf(port.id)}` }));
  const ha = of("router_ha_interface").map((port) => ({ port, device: `ha-${shortOf(port.id)}` }));
  const outer = gateway === undefined ? [] : [{ port: gateway, device: qg }];
  const [source] = gateway === undefined ? [] : addressesOf(gateway);
  const floating = lists.floatingIps.filter((row) => row["router_id"] === routerId);
  return [
    ...[...inner, ...outer, ...ha].flatMap((end) => deviceWishes(end, lists)),
    ...outer.flatMap(({ port, device }) => wayOut(port, device, lists)),
    ...(source === undefined
      ? []
      : [
          `element gw_ip ${source}`,
          `element gw_src ${qg} : ${source}`,
          ...inner.map(({ device }) => `element hair_src ${device} : ${source}`),
        ]),
    ...floating.flatMap((row) => [`local ${String(row["floating_ip_address"])} dev ${qg}`, ...translationOf(row)]),
  ];
}

// The cast: the API's documented form.
const fixedIpsOf = (port: Row): readonly FixedIp[] => port["fixed_ips"] as readonly FixedIp[];
const addressesOf = (port: Row): readonly string[] => fixedIpsOf(port).map(({ ip_address }) => ip_address);

function deviceWishes({ port, device }: { readonly port: Row; readonly device: string }, lists: Lists): readonly string[] {
  const mtu = lists.networks.get(String(port["network_id"]))?.["mtu"];
  const lines = fixedIpsOf(port).flatMap(({ ip_address: address, subnet_id: id }) => {
    const cidr = String(lists.subnets.get(id)?.["cidr"]);
    return [`address ${device} ${address}/${cidr.split("/")[1]}`, `route ${cidr} dev ${device}`];
  });
  return [`link ${device} ${String(port["mac_address"])} ${String(mtu)} up`, ...lines];
}

function wayOut(gateway: Row, device: string, { subnets }: Lists): readonly string[] {
  const hops = fixedIpsOf(gateway).map(({ subnet_id: id }) => subnets.get(id)?.["gateway_ip"]);
  return hops.filter((hop) => typeof hop === "string").map((hop) => `route default via ${hop} dev ${device}`);
}

function translationOf(row: Row): readonly string[] {
  const address = String(row["floating_ip_address"]);
  const fixed = row["fixed_ip_address"];
  // The cast: the API's documented form.
  const forwardings = row["port_forwardings"] as readonly Json[];
  const own =
    typeof fixed === "string"
      ? [`fip_in ${address} : ${fixed}`, `fip_out ${fixed} : ${address}`, `fip_pair ${address} . ${fixed}`]
      : [];
  return [...own, ...forwardings.flatMap((one) => forwardingElements(address, one))].map((line) => `element ${line}`);
}

function forwardingElements(address: string, forwarding: Json): readonly string[] {
  const own = `${address} . ${String(forwarding["protocol"])}`;
  const inside = String(forwarding["internal_ip_address"]);
  const [first, last] = rangeOf(forwarding["external_port_range"]);
  const [innerFirst, innerLast] = rangeOf(forwarding["internal_port_range"]);
  const many = `${first}-${last}`;
  const seen = first === last ? `pf_seen ${own} . ${first} . ${inside}` : `pf_seen_range ${own} . ${many} . ${inside}`;
  const back =
    innerFirst === innerLast
      ? `pf_back ${own} . ${inside} . ${innerFirst}`
      : `pf_back_range ${own} . ${inside} . ${innerFirst}-${innerLast}`;
  if (first !== last && innerFirst === innerLast) return [`pf_range ${own} . ${many} : ${inside} . ${innerFirst}`, seen, back];
  if (first !== last && innerFirst === first) return [`pf_keep ${own} . ${many} : ${inside}`, seen, back];
  const ports = Array.from({ length: last - first + 1 }, (_, at) => at);
  return [...ports.map((at) => `pf ${own} . ${first + at} : ${inside} . ${innerFirst + at}`), seen, back];
}

function rangeOf(range: unknown): readonly [number, number] {
  const [first = Number.NaN, last = Number.NaN] = String(range).split(":").map(Number);
  return [first, last];
}

/** Between all routers of the API and their namespaces on this host, which has all of them. @param prefix of its namespaces */
export async function findL3Differences(client: RestClient, prefix: string): Promise<readonly string[]> {
  const wanted = await readWishes(client);
  const namespaces = new Map([...wanted.keys()].map((id) => [id, `${prefix}qrouter-${id}`]));
  return differencesOf(wanted, await readKernel(namespaces));
}

/** Of the namespaces that are asked for; a missing one has the single line `no namespace`. */
async function readKernel(namespaces: ReadonlyMap<string, string>): Promise<Truth> {
  const found: (readonly [string, readonly string[]])[] = [];
  const waiting = [...namespaces];
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      found.push([next[0], await readRouter(next[1]).catch(() => ["no namespace"])]);
    }
  };
  await Promise.all([worker(), worker()]);
  return new Map(found);
}

async function readRouter(namespace: string): Promise<readonly string[]> {
  const ip = async (...words: readonly string[]): Promise<readonly Json[]> =>
    // The cast: what ip(8) prints with -j.
    JSON.parse((await sh("ip", "-n", namespace, "-j", ...words)) || "[]") as readonly Json[];
  const table = await sh("ip", "netns", "exec", namespace, "nft", "-j", "list", "table", "inet", tableName);
  const [links, main, local] = [
    await ip("addr"),
    await ip("-4", "route", "show", "table", "main"),
    await ip("-4", "route", "show", "table", "local", "proto", "static"),
  ];
  return [
    ...links.filter((link) => link["ifname"] !== "lo").flatMap(linkLines),
    ...main.map(routeLine).filter((line) => !line.includes(virtualPrefix)),
    ...local.map((route) => `local ${String(route["dst"])} dev ${String(route["dev"])}`),
    ...tableLines(table),
  ].toSorted();
}

interface Address {
  readonly family: string;
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

function linkLines(link: Json): readonly string[] {
  const name = String(link["ifname"]);
  // The casts: what ip(8) prints with -j.
  const isUp = (link["flags"] as readonly string[]).includes("UP") && link["operstate"] === "UP";
  // Of scope host: it only keeps routes on a device that has no address else.
  const own = (link["addr_info"] as readonly Address[]).filter(
    ({ family, local, scope }) => family === "inet" && scope !== "host" && !local.startsWith(virtualPrefix),
  );
  return [
    `link ${name} ${String(link["address"])} ${String(link["mtu"])} ${isUp ? "up" : "down"}`,
    ...own.map(({ local, prefixlen }) => `address ${name} ${local}/${prefixlen}`),
  ];
}

function routeLine(route: Json): string {
  const { gateway } = route;
  const via = typeof gateway === "string" ? ` via ${gateway}` : "";
  return `route ${String(route["dst"])}${via} dev ${String(route["dev"])}`;
}

interface Listed {
  readonly name: string;
  readonly elem?: readonly unknown[];
}

/** Every element of every set and map of the table, whoever it belongs to. */
function tableLines(json: string): readonly string[] {
  // The cast: libnftables-json(5).
  const { nftables } = JSON.parse(json) as { nftables: readonly { readonly map?: Listed; readonly set?: Listed }[] };
  return nftables.flatMap(({ map, set }) => {
    const object = map ?? set;
    const isMap = map !== undefined;
    return (object?.elem ?? []).map((elem) => {
      const [key, value] = isMap && Array.isArray(elem) ? elem : [elem];
      return `element ${object?.name ?? ""} ${partText(key)}${isMap ? ` : ${partText(value)}` : ""}`;
    });
  });
}

function partText(part: unknown): string {
  if (typeof part !== "object" || part === null) return String(part);
  // The cast: the forms that such elements can have.
  const { concat, range, elem } = part as {
    readonly concat?: readonly unknown[];
    readonly range?: readonly unknown[];
    readonly elem?: { readonly val: unknown };
  };
  if (concat !== undefined) return concat.map(partText).join(" . ");
  if (range !== undefined) return range.map(partText).join("-");
  return elem === undefined ? JSON.stringify(part) : partText(elem.val);
}

/** Empty when both are the same; otherwise what is missing and what is there beyond it, by router. */
function differencesOf(wanted: Truth, found: Truth): readonly string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])].flatMap((id) => {
    const [wishes, lines] = [wanted.get(id) ?? [], found.get(id) ?? []];
    return [
      ...wishes.filter((line) => !lines.includes(line)).map((line) => `${id} misses ${line}`),
      ...lines.filter((line) => !wishes.includes(line)).map((line) => `${id} has beyond it ${line}`),
      ...(new Set(lines).size === lines.length ? [] : [`${id} has a line twice`]),
    ];
  });
}
