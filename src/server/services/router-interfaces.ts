// Interfaces of a router: ports on tenants' networks, most of them with their subnet's gateway address.
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { NetworkRow, RouterRow, SubnetRow } from "../store/rows.ts";
import {
  createPortInTransaction,
  removePortInTransaction,
  updatePortAddressesInTransaction,
  updatePortInTransaction,
} from "./port-service.ts";
import { lockPort } from "./port-update.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { notFound, type ServiceDeps } from "./service-deps.ts";
import { routeThrough } from "./router-routes.ts";
import { readPortsOf, type RouterPort } from "./router-rows.ts";
import type { InterfaceRequest } from "./router-service-types.ts";
import { checkAdvertised, checkInPools, checkNoOverlap, readConnectedSubnets, readSubnetsById } from "./router-subnets.ts";
import { findUsedSubnet } from "./router-uses.ts";
import { readTargets } from "./shared-objects.ts";
import { isSharedWith, lockNetwork, ownsNetwork, seesNetwork } from "./visibility.ts";

export interface InterfaceChange {
  readonly context: RequestContext;
  /** Locked. */
  readonly router: RouterRow;
  readonly request: InterfaceRequest;
}

/** Answers what the client is told. */
export async function addInterface(trx: Trx, deps: ServiceDeps, change: InterfaceChange): Promise<Attributes> {
  const { subnetId, portId } = change.request;
  if (subnetId !== undefined && portId !== undefined) {
    throw new ApiFault("BadRequest", "Cannot specify both subnet-id and port-id");
  }
  if (portId !== undefined) return addByPort(trx, deps, { ...change, portId });
  if (subnetId !== undefined) return addBySubnet(trx, deps, { ...change, subnetId });
  throw nothingNamed();
}

const nothingNamed = (): ApiFault => new ApiFault("BadRequest", "Either subnet_id or port_id must be specified");

async function addBySubnet(
  trx: Trx,
  deps: ServiceDeps,
  { context, router, subnetId }: InterfaceChange & { readonly subnetId: string },
): Promise<Attributes> {
  const { subnet, network } = await lockSubnet(trx, deps, { context, subnetId });
  if (subnet.gateway_ip === null) throw new ApiFault("BadRequest", "Subnet for router interface must have a gateway IP");
  const standing = await checkSubnetUsable(trx, { context, network, subnet });
  if (standing === "guest" && !(await isInvited(trx, context, network))) checkInPools(subnet, subnet.gateway_ip);
  const ports = await readPortsOf(trx, router.id);
  checkNoOverlap(router, [subnet], await readConnectedSubnets(trx, ports));
  const address = { subnet_id: subnet.id, ip_address: subnet.gateway_ip };
  const sibling = subnet.ip_version === 6 ? ports.find((port) => isIpv6On(port, network.id)) : undefined;
  if (sibling !== undefined) {
    const held = sibling.fixedIps.map((ip) => ({ subnet_id: ip.subnet_id, ip_address: ip.ip_address }));
    await updatePortAddressesInTransaction(trx, deps, { id: sibling.row.id, fixedIps: [...held, address] });
    return interfaceInfo(router, { portId: sibling.row.id, networkId: network.id, subnetIds: [subnet.id] });
  }
  const port = await createPortInTransaction(trx, deps, {
    network_id: network.id,
    device_owner: deviceOwners.routerInterface,
    device_id: router.id,
    project_id: router.project_id,
    fixed_ips: [address],
  });
  await linkInterface(trx, router, port.id);
  return interfaceInfo(router, { portId: port.id, networkId: network.id, subnetIds: [subnet.id] });
}

const isIpv6On = (port: RouterPort, networkId: string): boolean =>
  port.kind === "interface" && port.row.network_id === networkId && port.fixedIps.some((ip) => ip.ip_address.includes(":"));

async function addByPort(
  trx: Trx,
  deps: ServiceDeps,
  { context, router, portId }: InterfaceChange & { readonly portId: string },
): Promise<Attributes> {
  const { row, fixedIps, network } = await lockPort(trx, deps, { context, id: portId, expectedRevision: undefined });
  if (row.device_id !== "") {
    throw new ApiFault(
      "PortInUse",
      `Unable to complete operation on port ${portId} for network ${row.network_id}. Port already has an attached device ${row.device_id}.`,
    );
  }
  if (fixedIps.length === 0) throw new ApiFault("BadRequest", "Router port must have at least one fixed IP");
  const subnets = await readSubnetsById(
    trx,
    fixedIps.map((ip) => ip.subnet_id),
  );
  for (const subnet of subnets) {
    const standing = await checkSubnetUsable(trx, { context, network, subnet });
    const held = fixedIps.filter((ip) => standing === "guest" && ip.subnet_id === subnet.id);
    for (const ip of held) checkInPools(subnet, ip.ip_address);
  }
  if (fixedIps.filter((ip) => !ip.ip_address.includes(":")).length > 1) {
    throw new ApiFault("BadRequest", "Cannot have multiple IPv4 subnets on router port");
  }
  const ports = await readPortsOf(trx, router.id);
  const sibling = ports.find((port) => isIpv6On(port, row.network_id));
  if (sibling !== undefined && fixedIps.some((ip) => ip.ip_address.includes(":"))) {
    throw new ApiFault(
      "BadRequest",
      `Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port ${sibling.row.id} has IPv6 subnet(s) and network id ${row.network_id}`,
    );
  }
  checkNoOverlap(router, subnets, await readConnectedSubnets(trx, ports));
  await updatePortInTransaction(trx, deps, portId, { device_id: router.id, device_owner: deviceOwners.routerInterface });
  await linkInterface(trx, router, portId);
  const subnetIds = fixedIps.map((ip) => ip.subnet_id);
  return interfaceInfo(router, { portId, networkId: row.network_id, subnetIds });
}

async function linkInterface(trx: Trx, router: RouterRow, portId: string): Promise<void> {
  await trx
    .insertInto("router_ports")
    .values({ port_id: portId, router_id: router.id, kind: "interface", agent_id: null })
    .execute();
}

async function lockSubnet(
  trx: Trx,
  deps: ServiceDeps,
  { context, subnetId }: { readonly context: RequestContext; readonly subnetId: string },
): Promise<{ readonly subnet: SubnetRow; readonly network: NetworkRow }> {
  const found = await trx.selectFrom("subnets").select("network_id").where("id", "=", subnetId).executeTakeFirst();
  if (found === undefined) throw notFound("subnet", subnetId);
  const admin = { ...context, isAdmin: true };
  const network = await lockNetwork(trx, deps.store, { context: admin, id: found.network_id, lock: "member" });
  const [subnet] = await readSubnetsById(trx, [subnetId]);
  if (subnet === undefined) throw notFound("subnet", subnetId);
  if (subnet.project_id !== context.projectId && !(await seesNetwork(trx, context, network)))
    throw notFound("subnet", subnetId);
  return { subnet, network };
}

interface Usage {
  readonly context: RequestContext;
  readonly network: NetworkRow;
  readonly subnet: SubnetRow;
}

/** Answers what the caller is there. */
async function checkSubnetUsable(trx: Trx, { context, network, subnet }: Usage): Promise<"owner" | "guest"> {
  checkAdvertised(subnet);
  if (ownsNetwork(context, network) || subnet.project_id === context.projectId) return "owner";
  if (!(await isSharedWith(trx, context, network))) {
    throw new ApiFault(
      "BadRequest",
      `Cannot add interface to router because subnet ${subnet.id} is not owned by project making the request`,
    );
  }
  return "guest";
}

/** Who shares a network with one project, by its id, lets its routers in; who shares it with everybody keeps its gateway address. */
async function isInvited(trx: Trx, { projectId }: RequestContext, { id }: NetworkRow): Promise<boolean> {
  return (await readTargets(trx, { type: "network", id, action: "access_as_shared" })).includes(projectId);
}

/** Answers what the client is told. */
export async function removeInterface(trx: Trx, deps: ServiceDeps, change: InterfaceChange): Promise<Attributes> {
  const { router, request } = change;
  if (request.subnetId === undefined && request.portId === undefined) throw nothingNamed();
  const port = await findInterface(trx, router, request);
  const subnetIds = port.fixedIps.map((ip) => ip.subnet_id);
  const isShrunk = request.portId === undefined && subnetIds.length > 1;
  const lost = isShrunk && request.subnetId !== undefined ? [request.subnetId] : subnetIds;
  await checkInterfaceUnused(trx, router, lost);
  if (isShrunk) {
    const kept = port.fixedIps.filter((ip) => !lost.includes(ip.subnet_id));
    const fixedIps = kept.map((ip) => ({ subnet_id: ip.subnet_id, ip_address: ip.ip_address }));
    await updatePortAddressesInTransaction(trx, deps, { id: port.row.id, fixedIps });
  } else {
    await trx.deleteFrom("router_ports").where("port_id", "=", port.row.id).execute();
    await removePortInTransaction(trx, deps, port.row.id);
  }
  return interfaceInfo(router, { portId: port.row.id, networkId: port.row.network_id, subnetIds: lost });
}

async function findInterface(trx: Trx, router: RouterRow, { subnetId, portId }: InterfaceRequest): Promise<RouterPort> {
  const interfaces = (await readPortsOf(trx, router.id)).filter((port) => port.kind === "interface");
  const isOn = (port: RouterPort): boolean => port.fixedIps.some((ip) => ip.subnet_id === subnetId);
  if (portId === undefined) {
    const port = interfaces.find(isOn);
    if (port !== undefined) return port;
    throw new ApiFault("RouterInterfaceNotFoundForSubnet", `Router ${router.id} has no interface on subnet ${subnetId}`);
  }
  const port = interfaces.find(({ row }) => row.id === portId);
  if (port === undefined) {
    throw new ApiFault("RouterInterfaceNotFound", `Router ${router.id} does not have an interface with id ${portId}`);
  }
  if (subnetId === undefined || isOn(port)) return port;
  throw new ApiFault("SubnetMismatchForPort", `Subnet on port ${portId} does not match the requested subnet ${subnetId}.`);
}

async function checkInterfaceUnused(trx: Trx, router: RouterRow, subnetIds: readonly string[]): Promise<void> {
  const used = await findUsedSubnet(trx, router.id, subnetIds);
  if (used !== undefined) {
    throw new ApiFault(
      "RouterInterfaceInUseByFloatingIP",
      `Router interface for subnet ${used} on router ${router.id} cannot be deleted, as it is required by one or more floating IPs.`,
    );
  }
  const route = routeThrough(router, await readSubnetsById(trx, subnetIds));
  if (route === undefined) return;
  throw new ApiFault(
    "RouterInterfaceInUseByRoute",
    `Router interface for subnet ${subnetIds.join(", ")} on router ${router.id} cannot be deleted, as it is required by the route to ${route.destination} via ${route.nexthop}.`,
  );
}

interface InterfaceParts {
  readonly portId: string;
  readonly networkId: string;
  readonly subnetIds: readonly string[];
}

function interfaceInfo({ id, project_id }: RouterRow, { portId, networkId, subnetIds }: InterfaceParts): Attributes {
  return {
    id,
    project_id,
    tenant_id: project_id,
    port_id: portId,
    network_id: networkId,
    subnet_id: subnetIds.at(-1) ?? null,
    subnet_ids: subnetIds,
  };
}
