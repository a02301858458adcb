// What a client wants of a floating IP, read from what it sent.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { FloatingIpRow } from "../store/rows.ts";
import { noAssociation } from "./floating-ip-rows.ts";
import { findTargetRouter } from "./floating-ip-targets.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { projectOf, text, textOrNull } from "./service-deps.ts";

/** That will serve it when it leads where the client wants. */
export async function routersToBe(trx: Trx, networkId: string, wish: Attributes): Promise<readonly string[]> {
  const portId = text(wish["port_id"]);
  if (portId === undefined) return [];
  const router = await findTargetRouter(trx, { networkId, portId, fixedIp: text(wish["fixed_ip_address"]) });
  return router === undefined ? [] : [router];
}

/** `fixed_ips` of the port that holds its address; `undefined` leaves the choice to the server. */
export function askedAddress(
  body: Attributes,
): readonly { readonly subnet_id?: string; readonly ip_address?: string }[] | undefined {
  const ipAddress = textOrNull(body["floating_ip_address"]) ?? undefined;
  const subnetId = textOrNull(body["subnet_id"]) ?? undefined;
  if (ipAddress?.includes(":") === true) {
    throw new ApiFault("InvalidInput", `'${ipAddress}' is not an IPv4 address, as a floating IP has to be.`);
  }
  if (ipAddress === undefined && subnetId === undefined) return undefined;
  const subnet = subnetId === undefined ? {} : { subnet_id: subnetId };
  return [ipAddress === undefined ? subnet : { ...subnet, ip_address: ipAddress }];
}

/** The row before its address is known. */
export function newFloatingIpRow(context: RequestContext, body: Attributes, now: string): Omit<FloatingIpRow, "id"> {
  return {
    project_id: projectOf(context, body),
    description: text(body["description"]) ?? "",
    tags: "[]",
    revision_number: 1,
    created_at: now,
    updated_at: now,
    floating_network_id: text(body["floating_network_id"]) ?? "",
    floating_port_id: "",
    floating_ip_address: text(body["floating_ip_address"]) ?? "",
    ...noAssociation,
    last_known_router_id: null,
    status: "DOWN",
    status_reason: null,
    status_from_revision: 1,
    dns_name: text(body["dns_name"]) ?? "",
    dns_domain: text(body["dns_domain"]) ?? "",
    qos_policy_id: textOrNull(body["qos_policy_id"]) ?? null,
  };
}
