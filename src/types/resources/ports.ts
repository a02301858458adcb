import { parseOptionName, readDhcpOption } from "../../model/dhcp-option.ts";
import type { AttributeDeclaration, AttributeRule, ResourceDeclaration } from "./declaration.ts";
import { portExtras } from "./port-extras.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { tagsSchema } from "./tags.ts";
import {
  boolean,
  checkText,
  converted,
  dnsHostname,
  ipAddress,
  ipAddressOrCidr,
  jsonObject,
  listOf,
  macAddress,
  oneOf,
  orNull,
  quoted,
  readOnly,
  record,
  Refusal,
  text,
  uuid,
} from "./values.ts";

const maxItems = 100;

const fixedIp = record({
  subnet_id: uuid.optional(),
  ip_address: ipAddress.optional(),
  delete_subnet: boolean.optional(),
}).refine((item) => item.subnet_id !== undefined || item.ip_address !== undefined, {
  error: "it has neither subnet_id nor ip_address.",
});

const dhcpOptionName = converted({ type: "string", minLength: 1, maxLength: 64 }, (value) => {
  const checked = checkText(value, { maxLength: 64, minLength: 1 });
  if (checked instanceof Refusal || parseOptionName(checked) !== undefined) return checked;
  return new Refusal(`${quoted(value)} is not the name or number of a DHCP option.`);
});

// The text reaches a file of the DHCP server: what that could not read is refused here, where somebody is told, and checked
// again by the agent. A null value only removes, so it needs no more than a name.
const extraDhcpOption = record({
  opt_name: dhcpOptionName,
  opt_value: orNull(text({ maxLength: 255, notBlank: true })),
  ip_version: oneOf([4, 6]).prefault(4),
}).superRefine(({ opt_name, opt_value, ip_version }, context) => {
  if (opt_value === null) return;
  const read = readDhcpOption({ optName: opt_name, optValue: opt_value, ipVersion: ip_version });
  if ("reason" in read) context.addIssue({ code: "custom", message: `${read.reason}.` });
});

// That ip_address is missing has an answer of its own, given where pairs are made canonical.
const addressPair = record({ ip_address: ipAddressOrCidr.optional(), mac_address: macAddress.optional() });

/** Administrators and the compute side. */
const operatorsSet: readonly AttributeRule[] = [{ on: ["create", "update", "read"], allow: ["service"] }];
const operatorsSee: readonly AttributeRule[] = [{ on: ["read"], allow: ["service"] }];
const ownerOfNetwork: AttributeRule = { on: ["create", "update"], allow: ["network-owner"] };

// Clients send an empty list for none, which on a new port is no wish.
const isNotEmpty = (value: unknown): boolean => Array.isArray(value) && value.length > 0;
const choosesAddress = (value: unknown): boolean =>
  Array.isArray(value) && value.some((item: { readonly ip_address?: unknown }) => item.ip_address !== undefined);
const isTrusted = (value: unknown): boolean => typeof value === "string" && value.startsWith("network:");

/** The compute side unplugs with null. */
const hostOrNone = converted({ type: ["string", "null"], maxLength: 255 }, (value) =>
  value === null ? "" : checkText(value, { maxLength: 255 }),
);

export const vnicTypes = [
  "normal",
  "direct",
  "macvtap",
  "baremetal",
  "direct-physical",
  "virtio-forwarder",
  "smart-nic",
  "vdpa",
  "accelerator-direct",
  "accelerator-direct-physical",
  "remote-managed",
] as const;

const binding: Readonly<Record<string, AttributeDeclaration>> = {
  "binding:host_id": {
    ...access.settable,
    schema: hostOrNone,
    filter: "text",
    rules: operatorsSet,
    alias: "binding",
    description: "Host that the port is plugged on; empty is none.",
  },
  "binding:vnic_type": {
    ...access.settable,
    schema: oneOf(vnicTypes),
    default: "normal",
    alias: "binding",
    description: "Kind of device that the instance wants.",
  },
  "binding:profile": {
    ...access.settable,
    schema: jsonObject(4095),
    rules: operatorsSet,
    alias: "binding",
    description: "What the compute side says about the device.",
  },
  "binding:vif_type": {
    ...access.computed,
    schema: readOnly({ type: "string" }),
    rules: operatorsSee,
    alias: "binding",
    description: "How the port is plugged: unbound, bridge, tap, binding_failed and others.",
  },
  "binding:vif_details": {
    ...access.computed,
    schema: readOnly({ type: "object" }),
    rules: operatorsSee,
    alias: "binding",
    description: "What plugging needs to know.",
  },
};

const addressing: Readonly<Record<string, AttributeDeclaration>> = {
  mac_address: {
    ...access.settable,
    schema: orNull(macAddress),
    nullIsUnset: true,
    filter: "mac",
    sort: true,
    rules: [
      { on: ["create"], allow: ["network-owner", "service"] },
      { on: ["update"], allow: ["service"] },
    ],
    alias: "port",
    description: "MAC address; unset or null makes a new one.",
  },
  fixed_ips: {
    ...access.settable,
    schema: listOf(fixedIp, { maxItems, uniqueBy: (item) => item.ip_address }),
    filter: "fixed-ips",
    rules: [
      { on: ["create"], allow: ["network-owner", "network-guest"] },
      { on: ["create"], allow: ["network-owner"], when: choosesAddress, part: "ip_address" },
      { on: ["update"], allow: ["network-owner"] },
    ],
    alias: "port",
    description: "Addresses: each a subnet_id, an ip_address or both; unset lets the server choose, [] is none.",
  },
  ip_allocation: {
    ...access.computed,
    schema: readOnly({ enum: ["immediate", "deferred", "none"] }),
    filter: "text",
    sort: true,
    alias: "ip_allocation",
    description: "When addresses were chosen.",
  },
  allowed_address_pairs: {
    ...access.settable,
    schema: listOf(addressPair, { maxItems, nullIsEmpty: true }),
    rules: [
      { on: ["create"], allow: ["network-owner"], when: isNotEmpty },
      { on: ["update"], allow: ["network-owner"] },
    ],
    alias: "allowed-address-pairs",
    description:
      "Further addresses that the instance may use: each an ip_address (or a network) and, if it is another one, a mac_address.",
  },
  extra_dhcp_opts: {
    ...access.settable,
    schema: listOf(extraDhcpOption, { maxItems, nullIsEmpty: true }),
    alias: "extra_dhcp_opt",
    description:
      "DHCP options of this port: opt_name (name or number, after tag:ipxe, and the like for some clients), opt_value, ip_version; a null value removes one, an empty router or classless-static-route keeps the port from its subnet's.",
  },
  dns_name: {
    ...access.settable,
    schema: dnsHostname,
    default: "",
    filter: "text",
    alias: "dns-integration",
    description: "Name of the port in the network's DNS.",
  },
  dns_assignment: {
    ...access.computed,
    schema: readOnly({ type: "array", items: { type: "object" } }),
    alias: "dns-integration",
    description: "What its addresses are called: hostname, ip_address and fqdn.",
  },
};

const device: Readonly<Record<string, AttributeDeclaration>> = {
  device_id: {
    ...access.settable,
    schema: text({ maxLength: 255 }),
    default: "",
    filter: "text",
    sort: true,
    alias: "port",
    description: "Id of the instance, router or agent that uses it.",
  },
  device_owner: {
    ...access.settable,
    schema: text({ maxLength: 255 }),
    default: "",
    filter: "text",
    sort: true,
    rules: [{ on: ["create", "update"], allow: ["network-owner", "service"], when: isTrusted, part: "network:" }],
    alias: "port",
    description: "Kind of user: compute:<zone>, network:dhcp and others.",
  },
};

export const portResource: ResourceDeclaration = {
  name: "port",
  collection: "ports",
  title: "Port",
  alias: "port",
  notFound: "PortNotFound",
  description: "A place on a network that a device is plugged into, with its MAC and addresses.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  serviceWrites: true,
  judgesNetworkRules: true,
  attributes: {
    ...identity("port"),
    ...ownership,
    network_id: {
      ...access.fixed,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias: "port",
      description: "Network that it is on.",
    },
    admin_state_up: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias: "port",
      description: "Whether the port should work.",
    },
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "DOWN", "BUILD", "ERROR", "N/A"] }),
      filter: "text",
      sort: true,
      alias: "port",
      description: "Whether it does.",
    },
    ...addressing,
    ...device,
    ...binding,
    port_security_enabled: {
      ...access.settable,
      schema: boolean,
      rules: [ownerOfNetwork],
      alias: "port-security",
      description: "Whether foreign addresses are filtered; unset is as the network says.",
    },
    security_groups: {
      ...access.settable,
      schema: listOf(uuid, { maxItems, nullIsEmpty: true, uniqueBy: (id) => id }),
      filter: "uuid",
      alias: "security-group",
      description: "Security groups, kept and not enforced; unset is the default group of the project, [] is none.",
    },
    ...portExtras,
    ...standardAttributes,
    tags: { ...standardAttributes.tags, post: true, schema: tagsSchema },
  },
};
