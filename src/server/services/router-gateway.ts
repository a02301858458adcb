// The way out of a router: a port on an external network.
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { FixedIpRequest } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { flag, type NetworkRow, type RouterRow } from "../store/rows.ts";
import { readSubnets } from "./port-addresses.ts";
import { createPortInTransaction, removePortInTransaction, updatePortAddressesInTransaction } from "./port-service.ts";
import { changedPolicy } from "./qos-policy-rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { forbidden, serverContext, type ServiceDeps } from "./service-deps.ts";
import { routeThrough } from "./router-routes.ts";
import { readPortsOf, type RouterPort } from "./router-rows.ts";
import { checkNoOverlap, readConnectedSubnets, readSubnetsById } from "./router-subnets.ts";
import { checkGatewayUnused } from "./router-uses.ts";
import { lockNetwork } from "./visibility.ts";

interface ExternalFixedIp {
  readonly subnet_id?: string;
  readonly ip_address?: string;
}

export interface GatewayInfo {
  readonly network_id: string;
  readonly enable_snat?: boolean;
  readonly qos_policy_id?: string | null;
  readonly external_fixed_ips?: readonly ExternalFixedIp[];
}

/** `undefined`: not given; null: none. The cast: the route has checked the shape. */
export function gatewayInfoOf(value: unknown): GatewayInfo | null | undefined {
  if (value === undefined || value === null) return value;
  const info = value as Partial<GatewayInfo>;
  return info.network_id === undefined ? null : (info as GatewayInfo);
}

/** What only administrators choose; asking for what would happen anyway is nobody's privilege. */
export function checkGatewayRights(context: RequestContext, info: GatewayInfo | null | undefined, router?: RouterRow): void {
  if (context.isAdmin || info === null || info === undefined) return;
  if ((info.external_fixed_ips ?? []).length > 0) throw forbidden("external_gateway_info:external_fixed_ips of a router");
  const usual = router === undefined || router.enable_snat === 1;
  if (info.enable_snat !== undefined && info.enable_snat !== usual) {
    throw forbidden("external_gateway_info:enable_snat of a router");
  }
}

/** Unsaid, a new way out translates. */
export const snatOf = (info: GatewayInfo | null): 0 | 1 => flag(info?.enable_snat ?? true);

/** The policy that its way out is to have; unsaid it stays, without a way out there is none. */
export async function changedGatewayPolicy(
  trx: Trx,
  context: RequestContext,
  { before, info }: { readonly before: RouterRow; readonly info: GatewayInfo | null | undefined },
): Promise<string | null> {
  if (info === null) return null;
  return changedPolicy(trx, context, { before: before.qos_policy_id, changes: { ...info } });
}

export interface GatewayChange {
  readonly context: RequestContext;
  readonly router: RouterRow;
  readonly info: GatewayInfo | null;
}

/** The router is locked. Answers whether anything but the translation changed. */
export async function changeGateway(trx: Trx, deps: ServiceDeps, change: GatewayChange): Promise<boolean> {
  const { router, info } = change;
  const present = (await readPortsOf(trx, router.id)).find((port) => port.kind === "gateway");
  if (present === undefined) {
    if (info === null) return false;
    await addGateway(trx, deps, { ...change, info });
    return true;
  }
  if (info !== null && info.network_id === present.row.network_id) return moveGateway(trx, deps, { present, router, info });
  await checkGatewayUnused(trx, router, present.row.network_id);
  await removeGateway(trx, deps, { router, gateway: present });
  if (info !== null) await addGateway(trx, deps, { ...change, info });
  return true;
}

async function addGateway(
  trx: Trx,
  deps: ServiceDeps,
  { context, router, info }: { readonly context: RequestContext; readonly router: RouterRow; readonly info: GatewayInfo },
): Promise<void> {
  const network = await lockNetwork(trx, deps.store, { context, id: info.network_id, lock: "member" });
  await checkExternal(trx, network, info);
  const ports = await readPortsOf(trx, router.id);
  const subnets = (await readSubnets(trx, [network.id])).get(network.id) ?? [];
  checkNoOverlap(router, subnets, await readConnectedSubnets(trx, ports));
  const asked = askedAddresses(info);
  const port = await createPortInTransaction(trx, deps, {
    network_id: network.id,
    device_owner: deviceOwners.routerGateway,
    device_id: router.id,
    project_id: "",
    ...(asked === undefined ? {} : { fixed_ips: asked }),
  });
  await trx
    .insertInto("router_ports")
    .values({ port_id: port.id, router_id: router.id, kind: "gateway", agent_id: null })
    .execute();
}

/** Nothing said of addresses leaves them as they are. */
async function moveGateway(
  trx: Trx,
  deps: ServiceDeps,
  { present, router, info }: { readonly present: RouterPort; readonly router: RouterRow; readonly info: GatewayInfo },
): Promise<boolean> {
  const network = await lockNetwork(trx, deps.store, {
    context: serverContext,
    id: info.network_id,
    lock: "member",
  });
  await checkExternal(trx, network, info);
  const asked = askedAddresses(info);
  if (asked === undefined) return false;
  await updatePortAddressesInTransaction(trx, deps, { id: present.row.id, fixedIps: asked });
  const after = await readPortsOf(trx, router.id);
  const gateway = after.find((port) => port.kind === "gateway");
  const addresses = (port: RouterPort | undefined): string => (port?.fixedIps ?? []).map((ip) => ip.ip_address).join();
  await checkRoutesStay(trx, router, { before: present, after: gateway });
  return addresses(gateway) !== addresses(present);
}

export async function removeGateway(
  trx: Trx,
  deps: ServiceDeps,
  { router, gateway }: { readonly router: RouterRow; readonly gateway: RouterPort },
): Promise<void> {
  await checkRoutesStay(trx, router, { before: gateway, after: undefined });
  await trx.deleteFrom("router_ports").where("port_id", "=", gateway.row.id).execute();
  await removePortInTransaction(trx, deps, gateway.row.id);
}

async function checkRoutesStay(
  trx: Trx,
  router: RouterRow,
  { before, after }: { readonly before: RouterPort; readonly after: RouterPort | undefined },
): Promise<void> {
  const kept = new Set((after?.fixedIps ?? []).map((ip) => ip.subnet_id));
  const lostIds = before.fixedIps.map((ip) => ip.subnet_id).filter((id) => !kept.has(id));
  const route = routeThrough(router, await readSubnetsById(trx, lostIds));
  if (route === undefined) return;
  throw new ApiFault(
    "RouterInterfaceInUseByRoute",
    `Gateway of router ${router.id} cannot be changed, as it is required by the route to ${route.destination} via ${route.nexthop}.`,
  );
}

/** An empty list is as good as none. */
function askedAddresses({ external_fixed_ips: asked = [] }: GatewayInfo): readonly FixedIpRequest[] | undefined {
  return asked.length === 0 ? undefined : asked;
}

async function checkExternal(trx: Trx, network: NetworkRow, info: GatewayInfo): Promise<void> {
  if (network.is_external !== 1) throw new ApiFault("BadRequest", `Network ${network.id} is not an external network`);
  const asked = new Set((info.external_fixed_ips ?? []).flatMap((ip) => ip.ip_address ?? []));
  if (asked.size === 0) return;
  const subnets = (await readSubnets(trx, [network.id])).get(network.id) ?? [];
  const taken = subnets.find((subnet) => subnet.gateway_ip !== null && asked.has(subnet.gateway_ip));
  if (taken === undefined) return;
  throw new ApiFault("BadRequest", `External IP ${taken.gateway_ip} is the same as the gateway IP of subnet ${taken.id}.`);
}
