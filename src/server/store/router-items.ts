// Whole routers as stream items: for events, for a host that has just been given one, and for snapshots.
import type { Kysely, Selectable } from "kysely";
import { parseCidr } from "../../model/addresses.ts";
import { networkId, portId, routerId, subnetId } from "../../model/ids.ts";
import type { Carrier, Route, Router, RouterAddress, RouterGateway, RouterHa, RouterInterface } from "../../model/router.ts";
import type { RouterItem } from "../../types/l3-messages.ts";
import { readSegments, type SegmentRow } from "./network-segments.ts";
import { readVrIds } from "./router-ha-rows.ts";
import { type FixedIpRow, inChunks, type NetworkRow, type PortRow, type RouterRow, type SubnetRow } from "./rows.ts";
import type { Database, RouterPortsTable } from "./schema.ts";
import { subnetModel } from "./stream-items.ts";

/** What an agent is told of a router; of an HA router each one something of its own. */
export type RouterForAgent = (agentId: string) => RouterItem;

type LinkRow = Selectable<RouterPortsTable>;

interface Surroundings {
  readonly links: ReadonlyMap<string, readonly LinkRow[]>;
  readonly ports: ReadonlyMap<string, PortRow>;
  readonly addresses: ReadonlyMap<string, readonly FixedIpRow[]>;
  readonly networks: ReadonlyMap<string, NetworkRow>;
  readonly segments: ReadonlyMap<string, readonly SegmentRow[]>;
  /** By network. */
  readonly subnets: ReadonlyMap<string, readonly SubnetRow[]>;
  /** Of subnet pools that are in one: pool → scope. */
  readonly scopes: ReadonlyMap<string, string>;
  readonly vrIds: ReadonlyMap<string, number>;
}

/** By id; those that are gone are left out. */
export async function readRouterItems(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, RouterForAgent>> {
  const rows = await inChunks(ids, (piece) => db.selectFrom("routers").selectAll().where("id", "in", piece).execute());
  const around = await readSurroundings(db, rows);
  return new Map(rows.map((row) => [row.id, routerForAgents(row, around)]));
}

/** @param revision newer than all that was said of the router before. */
export function routerDeleteItem(id: string, revision: number): RouterItem {
  return { op: "delete", kind: "router", id, routerId: routerId(id), revision };
}

async function readSurroundings(db: Kysely<Database>, routers: readonly RouterRow[]): Promise<Surroundings> {
  const ids = routers.map((row) => row.id);
  const links = await inChunks(ids, (piece) =>
    db.selectFrom("router_ports").selectAll().where("router_id", "in", piece).orderBy("port_id").execute(),
  );
  const portIds = links.map((link) => link.port_id);
  const ports = await inChunks(portIds, (piece) => db.selectFrom("ports").selectAll().where("id", "in", piece).execute());
  const addresses = await inChunks(portIds, (piece) =>
    db.selectFrom("fixed_ips").selectAll().where("port_id", "in", piece).orderBy("position").execute(),
  );
  const networkIds = [...new Set(ports.map((port) => port.network_id))];
  const networks = await inChunks(networkIds, (piece) =>
    db.selectFrom("networks").selectAll().where("id", "in", piece).execute(),
  );
  const subnets = await inChunks(networkIds, (piece) =>
    db.selectFrom("subnets").selectAll().where("network_id", "in", piece).orderBy("id").execute(),
  );
  return {
    links: Map.groupBy(links, (link) => link.router_id),
    ports: new Map(ports.map((port) => [port.id, port])),
    addresses: Map.groupBy(addresses, (address) => address.port_id),
    networks: new Map(networks.map((network) => [network.id, network])),
    segments: await readSegments(db, networkIds),
    subnets: Map.groupBy(subnets, (subnet) => subnet.network_id),
    scopes: await readScopes(db, subnets),
    vrIds: await readVrIds(db, ids),
  };
}

async function readScopes(db: Kysely<Database>, subnets: readonly SubnetRow[]): Promise<ReadonlyMap<string, string>> {
  const poolIds = [...new Set(subnets.flatMap((subnet) => subnet.subnetpool_id ?? []))];
  const pools = await inChunks(poolIds, (piece) =>
    db.selectFrom("subnet_pools").select(["id", "address_scope_id"]).where("id", "in", piece).execute(),
  );
  return new Map(pools.flatMap(({ id, address_scope_id: scope }) => (scope === null ? [] : [[id, scope]])));
}

function routerForAgents(row: RouterRow, around: Surroundings): RouterForAgent {
  const links = around.links.get(row.id) ?? [];
  const part = (link: LinkRow): RouterInterface[] => {
    const port = around.ports.get(link.port_id);
    return port === undefined ? [] : [portModel(port, around)];
  };
  const ofKind = (kind: LinkRow["kind"]): readonly LinkRow[] => links.filter((link) => link.kind === kind);
  const [gateway] = ofKind("gateway").flatMap(part);
  const router: Router = {
    id: routerId(row.id),
    projectId: row.project_id,
    name: row.name,
    adminStateUp: row.admin_state_up === 1,
    enableSnat: row.enable_snat === 1,
    distributed: false,
    isHa: row.ha === 1,
    ha: null,
    interfaces: ofKind("interface").flatMap(part),
    gateway: gateway === undefined ? null : withExtraSubnets(gateway, around),
    routes: sortedRoutes(row),
    revision: row.revision_number,
  };
  return (agentId) => {
    const [own] = ofKind("ha")
      .filter((link) => link.agent_id === agentId)
      .flatMap(part);
    const ha = haPart(own, around.vrIds.get(row.id));
    // The cast: the arrays in the type of a message are not readonly.
    return {
      op: "upsert",
      kind: "router",
      id: row.id,
      routerId: router.id,
      revision: router.revision,
      body: { ...router, ha },
    } as RouterItem;
  };
}

/** Everywhere the same: who becomes the first one is decided by who is there. */
const haPriority = 50;

function haPart(port: RouterInterface | undefined, vrId: number | undefined): RouterHa | null {
  return port === undefined || vrId === undefined ? null : { vrId, priority: haPriority, port };
}

function portModel(port: PortRow, around: Surroundings): RouterInterface {
  const network = around.networks.get(port.network_id);
  const subnets = new Map((around.subnets.get(port.network_id) ?? []).map((subnet) => [subnet.id, subnet]));
  return {
    portId: portId(port.id),
    macAddress: port.mac_address,
    networkId: networkId(port.network_id),
    mtuBytes: network?.mtu ?? 0,
    carrier: carrierOf(around.segments.get(port.network_id) ?? []),
    adminStateUp: port.admin_state_up === 1,
    addresses: (around.addresses.get(port.id) ?? []).flatMap((address) => {
      const subnet = subnets.get(address.subnet_id);
      return subnet === undefined ? [] : [addressModel(address.ip_address, subnet, around.scopes)];
    }),
  };
}

/** Of several segments the first: a router has one port on a network. */
function carrierOf([segment]: readonly SegmentRow[]): Carrier {
  return {
    // The cast: the rules of networks let no other type in.
    networkType: (segment?.network_type ?? "local") as Carrier["networkType"],
    physicalNetwork: segment?.physical_network ?? null,
    segmentationId: segment?.segmentation_id ?? null,
  };
}

function addressModel(ipAddress: string, row: SubnetRow, scopes: Surroundings["scopes"]): RouterAddress {
  const { id, cidr, ipVersion, gatewayIp, enableDhcp, ipv6RaMode, ipv6AddressMode, dnsNameservers } = subnetModel(row);
  const prefixLength = parseCidr(cidr)?.prefixLength ?? 0;
  const subnet = { subnetId: id, cidr, prefixLength, ipVersion, gatewayIp, enableDhcp };
  const addressScopeId = scopes.get(row.subnetpool_id ?? "") ?? null;
  return { ipAddress, ...subnet, ipv6RaMode, ipv6AddressMode, dnsNameservers, addressScopeId };
}

function withExtraSubnets(gateway: RouterInterface, around: Surroundings): RouterGateway {
  const own = new Set<string>(gateway.addresses.map((address) => address.subnetId));
  const others = (around.subnets.get(gateway.networkId) ?? []).filter((subnet) => !own.has(subnet.id));
  const extraSubnets = others.map(({ id, cidr, ip_version }) => ({
    id: subnetId(id),
    cidr,
    ipVersion: ip_version === 6 ? (6 as const) : (4 as const),
  }));
  return { ...gateway, extraSubnets };
}

const routeKey = (route: Route): string => `${route.destination} ${route.nexthop}`;

function sortedRoutes(row: RouterRow): readonly Route[] {
  // The cast: we wrote it.
  const routes = JSON.parse(row.routes) as readonly Route[];
  return routes.toSorted((one, other) => (routeKey(one) < routeKey(other) ? -1 : 1));
}
