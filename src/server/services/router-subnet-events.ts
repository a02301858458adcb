// What a change of a subnet means for the routers on its network.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { SubnetRow } from "../store/rows.ts";
import { isAutoAddressed } from "../ipam/subnet-rules.ts";
import { updatePortAddressesInTransaction } from "./port-service.ts";
import { lockRoutersOn, readRouterPorts, touchRouters } from "./router-rows.ts";
import type { ServiceDeps } from "./service-deps.ts";

/** On an external network: gateways without an address of that family get one, and all of them reach the subnet on the link. */
export async function greetSubnet(trx: Trx, deps: ServiceDeps, subnet: SubnetRow): Promise<void> {
  const routers = await lockRoutersOn(trx, subnet.network_id, "gateway");
  const ids = routers.map((router) => router.id);
  for (const ports of (await readRouterPorts(trx, ids)).values()) {
    const gateway = ports.find((port) => port.kind === "gateway");
    const hasFamily = gateway?.fixedIps.some((ip) => ip.ip_address.includes(":") === (subnet.ip_version === 6));
    if (gateway === undefined || hasFamily === true || isAutoAddressed(subnet.ipv6_address_mode)) continue;
    const held = gateway.fixedIps.map((ip) => ({ subnet_id: ip.subnet_id, ip_address: ip.ip_address }));
    const fixedIps = [...held, { subnet_id: subnet.id }];
    await unlessFull(updatePortAddressesInTransaction(trx, deps, { id: gateway.row.id, fixedIps }));
  }
  await touchRouters(trx, deps, { ids });
}

/** Routers that are there first have the addresses; others go on without. */
async function unlessFull(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (thrown) {
    if (!(thrown instanceof ApiFault && thrown.type === "IpAddressGenerationFailure")) throw thrown;
  }
}

/** A subnet without addresses of routers that is no longer there. */
export async function forgetSubnet(trx: Trx, deps: ServiceDeps, networkId: string): Promise<void> {
  const routers = await lockRoutersOn(trx, networkId, "gateway");
  await touchRouters(trx, deps, { ids: routers.map((router) => router.id) });
}
