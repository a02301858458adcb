// What stands on a router: floating IPs and port forwardings, by the subnet that they lead into.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { RouterRow } from "../store/rows.ts";

/** A subnet of `subnetIds` into which a floating IP or a port forwarding of the router leads. */
export async function findUsedSubnet(trx: Trx, routerId: string, subnetIds: readonly string[]): Promise<string | undefined> {
  if (subnetIds.length === 0) return undefined;
  const floating = await trx
    .selectFrom("floating_ips")
    .innerJoin("fixed_ips", (join) =>
      join
        .onRef("fixed_ips.port_id", "=", "floating_ips.fixed_port_id")
        .onRef("fixed_ips.ip_address", "=", "floating_ips.fixed_ip_address"),
    )
    .select("fixed_ips.subnet_id")
    .where("floating_ips.router_id", "=", routerId)
    .where("fixed_ips.subnet_id", "in", subnetIds)
    .limit(1)
    .executeTakeFirst();
  if (floating !== undefined) return floating.subnet_id;
  const forwarding = await trx
    .selectFrom("port_forwardings")
    .innerJoin("floating_ips", "floating_ips.id", "port_forwardings.floatingip_id")
    .innerJoin("fixed_ips", (join) =>
      join
        .onRef("fixed_ips.port_id", "=", "port_forwardings.internal_port_id")
        .onRef("fixed_ips.ip_address", "=", "port_forwardings.internal_ip_address"),
    )
    .select("fixed_ips.subnet_id")
    .where("floating_ips.router_id", "=", routerId)
    .where("fixed_ips.subnet_id", "in", subnetIds)
    .limit(1)
    .executeTakeFirst();
  return forwarding?.subnet_id;
}

export async function hasFloatingIps(trx: Trx, routerId: string): Promise<boolean> {
  const row = await trx.selectFrom("floating_ips").select("id").where("router_id", "=", routerId).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** @param networkId external network of the present gateway */
export async function checkGatewayUnused(trx: Trx, router: RouterRow, networkId: string): Promise<void> {
  if (!(await hasFloatingIps(trx, router.id))) return;
  throw new ApiFault(
    "RouterExternalGatewayInUseByFloatingIp",
    `Gateway cannot be updated for router ${router.id}, since a gateway to external network ${networkId} is required by one or more floating IPs.`,
  );
}
