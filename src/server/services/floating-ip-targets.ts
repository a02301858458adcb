// Where a floating IP may lead: which address of which port, through which router.
import type { Kysely } from "kysely";
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { lockRouterRows } from "../store/router-hosts.ts";
import type { FixedIpRow, FloatingIpRow, PortRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { Association } from "./floating-ip-rows.ts";
import { lockPorts } from "./port-rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { notFound, type ServiceDeps } from "./service-deps.ts";

export interface Target {
  readonly port: PortRow;
  readonly address: FixedIpRow;
  readonly routerId: string;
}

export interface TargetRequest {
  readonly context: RequestContext;
  readonly floating: FloatingIpRow;
  readonly portId: string;
  /** Canonical; `undefined` takes the only IPv4 address of the port. */
  readonly fixedIp: string | undefined;
}

export const associationWith = ({ port, address, routerId }: Target): Association => ({
  fixed_port_id: port.id,
  fixed_ip_address: address.ip_address,
  router_id: routerId,
});

/** With port and router locked: neither loses what the target rests on before this transaction ends. */
export async function lockTarget(trx: Trx, deps: ServiceDeps, request: TargetRequest): Promise<Target> {
  const { context, floating, portId } = request;
  const routerId = await lockRouterBefore(trx, request);
  const [port] = await lockPorts(trx, deps.store.dialect, [portId]);
  if (port === undefined || !(await seesPort(trx, context, port.row))) throw notFound("port", portId);
  checkPort(request, port.row);
  const address = chooseAddress(request, port.fixedIps);
  const found = await findRouter(trx, address.subnet_id, floating.floating_network_id);
  if (found === undefined) throw unreachable(floating.floating_network_id, { subnetId: address.subnet_id, portId });
  // Before the port was locked it may have moved to a place behind another router.
  if (found !== routerId) await lockRouterRows(trx, [found]);
  const isStill = (await findRouter(trx, address.subnet_id, floating.floating_network_id)) === found;
  if (!isStill) throw unreachable(floating.floating_network_id, { subnetId: address.subnet_id, portId });
  return { port: port.row, address, routerId: found };
}

function unreachable(
  networkId: string,
  { subnetId, portId }: { readonly subnetId: string; readonly portId: string },
): ApiFault {
  return new ApiFault(
    "ExternalGatewayForFloatingIPNotFound",
    `External network ${networkId} is not reachable from subnet ${subnetId}. Therefore, cannot associate Port ${portId} with a Floating IP.`,
  );
}

export interface TargetPlace {
  readonly networkId: string;
  readonly portId: string;
  readonly fixedIp: string | undefined;
}

/**
 * The router that would serve such a target, if there is one. Routers are locked before floating IPs and ports, so it is found
 * before anything is locked; what is found here is looked at again afterwards.
 */
export async function findTargetRouter(
  db: Kysely<Database>,
  { networkId, portId, fixedIp }: TargetPlace,
): Promise<string | undefined> {
  const addresses = await db.selectFrom("fixed_ips").selectAll().where("port_id", "=", portId).execute();
  const address = addresses.find((ip) => (fixedIp === undefined ? isIpv4(ip) : ip.ip_address === fixedIp));
  return address === undefined ? undefined : findRouter(db, address.subnet_id, networkId);
}

async function lockRouterBefore(trx: Trx, { floating, portId, fixedIp }: TargetRequest): Promise<string | undefined> {
  const routerId = await findTargetRouter(trx, { networkId: floating.floating_network_id, portId, fixedIp });
  if (routerId !== undefined) await lockRouterRows(trx, [routerId]);
  return routerId;
}

const isIpv4 = (ip: FixedIpRow): boolean => ip.ip_key.length === 8;

/** Own ports, and all ports on own networks. */
async function seesPort(trx: Trx, { isAdmin, projectId }: RequestContext, port: PortRow): Promise<boolean> {
  if (isAdmin || port.project_id === projectId) return true;
  const network = await trx.selectFrom("networks").select("project_id").where("id", "=", port.network_id).executeTakeFirst();
  return network?.project_id === projectId;
}

function checkPort({ context, floating }: TargetRequest, port: PortRow): void {
  if (port.device_owner === deviceOwners.dhcp) {
    throw new ApiFault("BadRequest", `Port ${port.id} is owned by ${deviceOwners.dhcp} and cannot have a floating IP.`);
  }
  if (context.isAdmin || port.project_id === floating.project_id) return;
  throw new ApiFault(
    "BadRequest",
    `Port ${port.id} is associated with a different project than Floating IP ${floating.id} and therefore cannot be bound.`,
  );
}

function chooseAddress({ portId, fixedIp }: TargetRequest, addresses: readonly FixedIpRow[]): FixedIpRow {
  if (fixedIp?.includes(":") === true) {
    throw new ApiFault(
      "InvalidInput",
      `Cannot process floating IP association with ${fixedIp}, since that is not an IPv4 address.`,
    );
  }
  const ipv4 = addresses.filter(isIpv4);
  if (fixedIp !== undefined) {
    const address = ipv4.find((ip) => ip.ip_address === fixedIp);
    if (address !== undefined) return address;
    throw new ApiFault("BadRequest", `Port ${portId} does not have fixed ip ${fixedIp}`);
  }
  const [first, second] = ipv4;
  if (first === undefined) {
    throw new ApiFault("BadRequest", `Cannot add floating IP to port ${portId} that has no fixed IPv4 addresses`);
  }
  if (second === undefined) return first;
  throw new ApiFault(
    "BadRequest",
    `Port ${portId} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a floating IP`,
  );
}

/** With an interface on the subnet and its way out on the network; rather the one that is the subnet's gateway. */
async function findRouter(db: Kysely<Database>, subnetId: string, externalNetworkId: string): Promise<string | undefined> {
  const rows = await db
    .selectFrom("fixed_ips")
    .innerJoin("router_ports as inside", "inside.port_id", "fixed_ips.port_id")
    .innerJoin("router_ports as outside", "outside.router_id", "inside.router_id")
    .innerJoin("ports as gateway", "gateway.id", "outside.port_id")
    .innerJoin("subnets", "subnets.id", "fixed_ips.subnet_id")
    .select(["inside.router_id", "fixed_ips.ip_address", "subnets.gateway_ip"])
    .where("fixed_ips.subnet_id", "=", subnetId)
    .where("inside.kind", "=", "interface")
    .where("outside.kind", "=", "gateway")
    .where("gateway.network_id", "=", externalNetworkId)
    .orderBy("inside.router_id")
    .execute();
  return (rows.find((row) => row.ip_address === row.gateway_ip) ?? rows[0])?.router_id;
}
