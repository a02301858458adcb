// Creating ports, one or hundreds, in a few queries.
import { formatTraceparent, type TraceContext } from "../../base/trace-context.ts";
import { deviceOwners } from "../../model/device-names.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { slotsForNewPort } from "../ipam/address-slots.ts";
import { allocateAddresses } from "../ipam/allocator.ts";
import type { Trx } from "../store/database.ts";
import type { NetworkRow, PortRow, SubnetRow } from "../store/rows.ts";
import { portItem } from "../store/stream-items.ts";
import { checkNameLength } from "./dns-lengths.ts";
import { readTouchedSegments, subnetsForPort } from "./host-segments.ts";
import { checkSubnetsBelong, readSubnets } from "./port-addresses.ts";
import { readKnownHosts } from "./port-binding.ts";
import { chooseMacs } from "./port-macs.ts";
import { groupsOfNewPorts } from "./port-security-groups.ts";
import { fixedIpRows, insertPorts, type PortWithAddresses } from "./port-rows.ts";
import { askedMac, checkMemberRights, fixedIpsOf, newPortRow } from "./port-rules.ts";
import { takeQuota } from "./quota-guard.ts";
import { askedPolicy, checkPoliciesUsable } from "./qos-policy-rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { isGuestOn, lockNetwork, managesPorts } from "./visibility.ts";

interface Draft {
  readonly body: Attributes;
  readonly row: PortRow;
  readonly network: NetworkRow;
}

export interface CreatedPort extends PortWithAddresses {
  readonly network: NetworkRow;
  /** Ids, sorted. */
  readonly securityGroups: readonly string[];
}

interface NewPorts {
  readonly context: RequestContext;
  readonly bodies: readonly Attributes[];
  readonly takesQuota: boolean;
  readonly traces?: readonly (TraceContext | undefined)[];
}

/**
 * In the order of `bodies`.
 *
 * @param takesQuota as a client's do: ports of the server's own count where they belong to a project, and are never refused
 * @param traces of the requests of the bodies, where these are several
 */
export async function createPorts(
  trx: Trx,
  deps: ServiceDeps,
  { context, bodies, takesQuota, traces = [] }: NewPorts,
): Promise<CreatedPort[]> {
  const networks = await lockNetworks(trx, deps, { context, bodies });
  const drafts = await draftPorts(trx, deps, { context, bodies, networks });
  if (takesQuota) await takeQuota(trx, deps, { resource: "port", projectIds: drafts.map(({ row }) => row.project_id) });
  const subnets = await readSubnets(trx, [...networks.keys()]);
  const groups = await groupsOfNewPorts(trx, deps, { context, ports: drafts });
  await checkPoliciesUsable(trx, context, bodies.map(askedPolicy));
  // From here on others wait for addresses of the same subnets: what can be asked before was asked before.
  const addressed = await addAddresses(trx, deps, { drafts, subnets });
  const created = addressed.map((port, index) => ({ ...port, securityGroups: groups[index] ?? [] }));
  await insertPorts(trx, created);
  const byNetwork = Map.groupBy(created, (port) => port.row.network_id);
  const traceOf = new Map(created.map((port, index) => [port, traces[index]]));
  const receivers = new Map<string, number | undefined>();
  for (const [networkId, ports] of byNetwork) {
    const items = ports.map((port) => traced(portItem(port.row, port.fixedIps), traceOf.get(port)));
    receivers.set(networkId, (await deps.events.recordItems(trx, networkId, items))?.length);
  }
  for (const [networkId, ports] of byNetwork) {
    // A DHCP port is made by the agent that has the network; without subnets there is nothing to serve.
    const needy = ports.some((port) => port.row.device_owner !== deviceOwners.dhcp);
    if (needy && subnets.get(networkId)?.some((subnet) => subnet.enable_dhcp === 1)) {
      await deps.events.scheduleNetwork(trx, networkId, receivers.get(networkId));
    }
  }
  return created;
}

const traced = (item: StreamItem, trace: TraceContext | undefined): StreamItem =>
  trace === undefined ? item : { ...item, traceparent: formatTraceparent(trace) };

async function lockNetworks(
  trx: Trx,
  deps: ServiceDeps,
  { context, bodies }: { context: RequestContext; bodies: readonly Attributes[] },
): Promise<Map<string, NetworkRow>> {
  const ids = new Set(bodies.map((body) => text(body["network_id"]) ?? ""));
  const networks = new Map<string, NetworkRow>();
  // The compute side makes ports for others, on networks that it does not own.
  const viewer = managesPorts(context) ? { ...context, isAdmin: true } : context;
  for (const id of [...ids].sort()) {
    networks.set(id, await lockNetwork(trx, deps.store, { context: viewer, id, lock: "member" }));
  }
  return networks;
}

async function draftPorts(
  trx: Trx,
  deps: ServiceDeps,
  {
    context,
    bodies,
    networks,
  }: { context: RequestContext; bodies: readonly Attributes[]; networks: ReadonlyMap<string, NetworkRow> },
): Promise<Draft[]> {
  const now = timestamp(deps);
  const knownHosts = await readKnownHosts(trx, bodies);
  const drafts: Draft[] = [];
  for (const [id, network] of networks) {
    const own = bodies.filter((body) => body["network_id"] === id);
    const isGuest = await isGuestOn(trx, context, network);
    for (const body of own) checkMemberRights(context, network, { action: "create", body, isGuest });
    const macs = await chooseMacs(trx, id, own.map(askedMac));
    own.forEach((body, index) => {
      const row = newPortRow({ context, network, body, mac: macs[index] ?? "", knownHosts, now });
      checkNameLength(row.dns_name, network.dns_domain || (deps.defaultDnsDomain ?? ""));
      drafts.push({ body, network, row });
    });
  }
  const order = new Map(bodies.map((body, index) => [body, index]));
  return drafts.sort((a, b) => (order.get(a.body) ?? 0) - (order.get(b.body) ?? 0));
}

async function addAddresses(
  trx: Trx,
  deps: ServiceDeps,
  { drafts, subnets }: { drafts: readonly Draft[]; subnets: ReadonlyMap<string, readonly SubnetRow[]> },
): Promise<Omit<CreatedPort, "securityGroups">[]> {
  const hosts = drafts.map(({ row }) => row.binding_host_id);
  const touched = await readTouchedSegments(trx, { subnets: [...subnets.values()].flat(), hosts });
  const wishes = [];
  const deferred = new Set<PortRow>();
  for (const { row, body } of drafts) {
    const all = subnets.get(row.network_id) ?? [];
    const fixedIps = fixedIpsOf(body);
    await checkSubnetsBelong(trx, row.network_id, { subnets: all, fixedIps });
    const port = { networkId: row.network_id, deviceOwner: row.device_owner, fixedIps };
    const own = subnetsForPort(all, { ...port, host: row.binding_host_id }, touched);
    if (own === "deferred") deferred.add(row);
    const slots = own === "deferred" ? [] : slotsForNewPort({ ...port, subnets: own, mac: row.mac_address });
    wishes.push({ portId: row.id, networkId: row.network_id, slots, lowest: row.device_owner === deviceOwners.dhcp });
  }
  const addresses = await allocateAddresses(trx, deps.store.dialect, wishes);
  return drafts.map(({ row, network, body }, index) => {
    const own = addresses[index] ?? [];
    // `none` is what a client asked for with an empty list; a network without subnets may still get some.
    const allocation = deferred.has(row) ? "deferred" : fixedIpsOf(body)?.length === 0 ? "none" : "immediate";
    const row2 = { ...row, ip_allocation: allocation };
    return { row: row2, network, fixedIps: fixedIpRows(row2, own) };
  });
}
