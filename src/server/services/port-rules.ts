// Rules of a port's own attributes: who may set them, and how they are stored.
import { randomUUID } from "node:crypto";
import { deviceOwners } from "../../model/device-names.ts";
import { canonicalAddress, formatCidr, normaliseMac, parseCidr } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { attributeOf } from "../../types/resources/declaration.ts";
import { brokenOnNetwork } from "../../types/resources/policy.ts";
import { portResource } from "../../types/resources/ports.ts";
import type { FixedIpRequest } from "../ipam/address-slots.ts";
import { flag, type NetworkRow, type PortRow } from "../store/rows.ts";
import { bindingColumns } from "./port-binding.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { forbidden, has, listJson, projectOf, text, textOrNull } from "./service-deps.ts";
import { managesPorts, ownsNetwork } from "./visibility.ts";

/**
 * What of a port depends on whose its network is: the rules of the declaration that the route could not judge.
 *
 * @param isGuest the network is shared with the caller
 */
export function checkMemberRights(
  context: RequestContext,
  network: NetworkRow,
  { action, body, isGuest }: { readonly action: "create" | "update"; readonly body: Attributes; readonly isGuest: boolean },
): void {
  const standing = { ownsNetwork: ownsNetwork(context, network), isGuest };
  const isOutsider = !standing.ownsNetwork && !standing.isGuest && !managesPorts(context);
  if (action === "create" && isOutsider) throw forbidden(`a port on the external network ${network.id}`);
  for (const [name, value] of Object.entries(body)) {
    const attribute = attributeOf(portResource, name);
    if (attribute === undefined || value === undefined) continue;
    // What a new port has unasked is nobody's privilege.
    if (action === "create" && attribute.default === value) continue;
    const broken = brokenOnNetwork({ attribute, value, action }, context, standing);
    if (broken === undefined) continue;
    const what = broken.part === undefined ? name : `${name}:${broken.part}`;
    throw forbidden(`${action}_port:${what} on network ${network.id}`);
  }
}

/** `undefined`: not given. The cast: the route has checked the shape. */
export function fixedIpsOf(body: Attributes): readonly FixedIpRequest[] | undefined {
  return (body["fixed_ips"] ?? undefined) as readonly FixedIpRequest[] | undefined;
}

export function askedMac(body: Attributes): string | undefined {
  const asked = text(body["mac_address"]);
  if (asked === undefined) return undefined;
  const mac = normaliseMac(asked);
  if (mac === undefined) throw new ApiFault("InvalidInput", `'${asked}' is not a valid MAC address`);
  return mac;
}

const maxAddressPairs = 10;

interface AddressPair {
  readonly ip_address?: string;
  readonly mac_address?: string;
}

export function addressPairsJson(value: unknown, mac: string): string {
  // The cast: the route has checked the shape.
  const pairs = ((value ?? []) as readonly AddressPair[]).map((pair) => canonicalPair(pair, mac));
  if (pairs.length > maxAddressPairs) {
    throw new ApiFault(
      "AllowedAddressPairExhausted",
      `The number of allowed address pairs exceeds the maximum ${maxAddressPairs}.`,
    );
  }
  const seen = new Set<string>();
  for (const pair of pairs) {
    const one = JSON.stringify(pair);
    if (seen.has(one)) {
      const message = `Request contains duplicate address pair: mac_address ${pair.mac_address} ip_address ${pair.ip_address}.`;
      throw new ApiFault("DuplicateAddressPairInRequest", message);
    }
    seen.add(one);
  }
  return JSON.stringify(pairs);
}

function canonicalPair({ ip_address, mac_address }: AddressPair, portMac: string): Required<AddressPair> {
  if (ip_address === undefined)
    throw new ApiFault("AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address.");
  const block = ip_address.includes("/") ? parseCidr(ip_address) : undefined;
  const address = block === undefined ? canonicalAddress(ip_address) : formatCidr(block);
  const mac = mac_address === undefined ? portMac : normaliseMac(mac_address);
  if (address === undefined) throw new ApiFault("InvalidInput", `'${ip_address}' is not a valid IP address or network`);
  if (mac === undefined) throw new ApiFault("InvalidInput", `'${mac_address}' is not a valid MAC address`);
  return { ip_address: address, mac_address: mac };
}

export function checkPairsAllowed(row: PortRow): void {
  if (row.port_security_enabled === 1 || row.allowed_address_pairs === "[]") return;
  throw new ApiFault(
    "AddressPairAndPortSecurityRequired",
    "Port Security must be enabled in order to have allowed address pairs on a port.",
  );
}

interface DhcpOption {
  readonly opt_name: string;
  readonly opt_value: string | null;
  readonly ip_version?: number;
}

/** Options are told apart by name and family: those in `changes` replace their like, null removes it, others stay. */
export function dhcpOptionsJson(changes: unknown, before = "[]"): string {
  const key = (option: DhcpOption): string => `${option.ip_version ?? 4} ${option.opt_name}`;
  const options = new Map((JSON.parse(before) as DhcpOption[]).map((option) => [key(option), option]));
  for (const option of (changes ?? []) as readonly DhcpOption[]) {
    const { opt_name, opt_value, ip_version = 4 } = option;
    if (opt_value === null) options.delete(key(option));
    else options.set(key(option), { opt_name, opt_value, ip_version });
  }
  return JSON.stringify([...options.values()]);
}

export interface NewPort {
  readonly context: RequestContext;
  readonly network: NetworkRow;
  readonly body: Attributes;
  readonly mac: string;
  /** Of the hosts that ports are asked for on. */
  readonly knownHosts: ReadonlySet<string>;
  readonly now: string;
}

/** The row before its addresses are known. */
export function newPortRow({ context, network, body, mac, knownHosts, now }: NewPort): PortRow {
  const deviceOwner = text(body["device_owner"]) ?? "";
  const row: PortRow = {
    id: randomUUID(),
    // Ports of the server's own belong to their network's project, unless they say that they are nobody's.
    project_id: body["project_id"] === "" ? "" : projectOf(context, body) || network.project_id,
    name: text(body["name"]) ?? "",
    description: text(body["description"]) ?? "",
    tags: listJson(body["tags"]),
    revision_number: 1,
    created_at: now,
    updated_at: now,
    network_id: network.id,
    admin_state_up: flag(body["admin_state_up"] ?? true),
    mac_address: mac,
    status: deviceOwner === deviceOwners.floatingIp ? "N/A" : "DOWN",
    device_id: text(body["device_id"]) ?? "",
    device_owner: deviceOwner,
    ...bindingColumns(network.id, body, knownHosts),
    port_security_enabled: has(body, "port_security_enabled")
      ? flag(body["port_security_enabled"])
      : network.port_security_enabled,
    allowed_address_pairs: addressPairsJson(body["allowed_address_pairs"], mac),
    extra_dhcp_opts: dhcpOptionsJson(body["extra_dhcp_opts"]),
    dns_name: (text(body["dns_name"]) ?? "").toLowerCase(),
    ip_allocation: "none",
    dhcp_ready_revision: 0,
    ready_from_revision: 1,
    qos_policy_id: textOrNull(body["qos_policy_id"]) ?? null,
    dns_domain: text(body["dns_domain"]) ?? "",
    data_plane_status: null,
  };
  checkPairsAllowed(row);
  return row;
}
