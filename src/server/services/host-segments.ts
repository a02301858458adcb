// On a network whose subnets belong to segments a port has addresses of the one segment that its host is on: which that is,
// and what follows for the addresses that a port may ask for.
import { ApiFault } from "../../types/api-faults.ts";
import type { FixedIpRequest } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { inChunks, type SubnetRow } from "../store/rows.ts";

/** What an agent says of the wires below its host, each by the name that `physical_network` of a segment has. */
interface Wiring {
  /** Physical network → bridge. */
  readonly bridge_mappings?: unknown;
  readonly physical_networks?: unknown;
}

/** Segments of the subnets that were asked for, by host. */
export type TouchedSegments = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Nothing is read while no subnet belongs to a segment. A host is on the segments of the physical networks that any of its
 * agents names, and on those that have no physical network: there is nothing to be plugged into. A host that no agent was
 * ever heard from is on none.
 */
export async function readTouchedSegments(
  trx: Trx,
  { subnets, hosts }: { readonly subnets: readonly SubnetRow[]; readonly hosts: readonly string[] },
): Promise<TouchedSegments> {
  const ids = [...new Set(subnets.flatMap((subnet) => subnet.segment_id ?? []))];
  const asked = [...new Set(hosts.filter((host) => host !== ""))];
  if (ids.length === 0 || asked.length === 0) return new Map();
  const segments = await inChunks(ids, (piece) =>
    trx.selectFrom("network_segments").select(["id", "physical_network"]).where("id", "in", piece).execute(),
  );
  const agents = await inChunks(asked, (piece) =>
    trx.selectFrom("agents").select(["host", "configurations"]).where("host", "in", piece).execute(),
  );
  const touched = new Map<string, ReadonlySet<string>>();
  for (const [host, own] of Map.groupBy(agents, (agent) => agent.host)) {
    const wires = new Set(own.flatMap(({ configurations }) => physicalNetworks(configurations)));
    const here = segments.filter(({ physical_network: wire }) => wire === null || wires.has(wire));
    touched.set(host, new Set(here.map((segment) => segment.id)));
  }
  return touched;
}

function physicalNetworks(configurations: string): readonly string[] {
  // The cast: a JSON object, of which nothing else is known.
  const { bridge_mappings: mappings, physical_networks: names } = JSON.parse(configurations) as Wiring;
  const mapped = typeof mappings === "object" && mappings !== null ? Object.keys(mappings) : [];
  return [...mapped, ...(Array.isArray(names) ? names.map(String) : [])];
}

export interface PlacedPort {
  readonly networkId: string;
  readonly deviceOwner: string;
  /** Empty: none yet. */
  readonly host: string;
  readonly fixedIps: readonly FixedIpRequest[] | undefined;
}

/**
 * Of the network's subnets those that the port may have addresses of; `deferred` while that cannot be known, because the port
 * has no host and does not say what it wants. Ports of the network's own services are where the server puts them.
 *
 * Throws HostNotConnectedToAnySegment, HostConnectedToMultipleSegments, and InvalidInput for a subnet of another segment.
 */
export function subnetsForPort(
  subnets: readonly SubnetRow[],
  port: PlacedPort,
  touched: TouchedSegments,
): readonly SubnetRow[] | "deferred" {
  const { host, fixedIps, networkId } = port;
  const isPlaced = subnets.some((subnet) => subnet.segment_id !== null);
  if (!isPlaced || port.deviceOwner.startsWith("network:") || fixedIps?.length === 0) return subnets;
  if (host === "") return fixedIps === undefined ? "deferred" : subnets;
  const segments = touched.get(host) ?? new Set();
  const here = subnets.filter(({ segment_id: id }) => id !== null && segments.has(id));
  const found = new Set(here.map((subnet) => subnet.segment_id));
  if (found.size === 0) {
    const why = `Host ${host} is not connected to any segments on routed provider network '${networkId}'. It should be connected to one.`;
    throw new ApiFault("HostNotConnectedToAnySegment", why);
  }
  if (found.size > 1) {
    const why = `Host ${host} is connected to multiple segments on routed provider network '${networkId}'. It should be connected to one.`;
    throw new ApiFault("HostConnectedToMultipleSegments", why);
  }
  const asked = fixedIps?.filter((ip) => ip.subnet_id !== undefined && ip.delete_subnet !== true);
  const foreign = asked?.find((ip) => !here.some((subnet) => subnet.id === ip.subnet_id));
  if (foreign === undefined) return here;
  const why = `fixed_ips of a port on network ${networkId} include subnet ${foreign.subnet_id}, which is on a segment that host ${host} is not on`;
  throw new ApiFault("InvalidInput", why);
}

/** A port that has addresses goes to another host: they must be good there. */
export function checkAddressesReach(
  portId: string,
  held: readonly { readonly subnet_id: string }[],
  { host, subnets }: { readonly host: string; readonly subnets: readonly SubnetRow[] | "deferred" },
): void {
  if (subnets === "deferred" || held.every((ip) => subnets.some((subnet) => subnet.id === ip.subnet_id))) return;
  const why = `Host ${host} is not connected to a segment where the existing fixed_ips on port ${portId} will function given the routed network topology.`;
  throw new ApiFault("HostNotCompatibleWithFixedIps", why);
}
