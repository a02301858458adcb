// Port forwardings are a collection inside each floating IP: /v2.0/floatingips/<id>/port_forwardings.
import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, ownership } from "./standard-attributes.ts";
import { converted, integer, ipAddress, orNull, quoted, Refusal, text, uuid } from "./values.ts";

/** With ports come `tcp`, `udp`, `sctp` and `dccp`. */
const protocolNumbers: ReadonlyMap<string, string> = new Map([
  ["1", "icmp"],
  ["6", "tcp"],
  ["17", "udp"],
  ["33", "dccp"],
  ["58", "ipv6-icmp"],
  ["132", "sctp"],
]);
const protocols = [...protocolNumbers.values()];

const protocol = converted({ enum: protocols }, (value) => {
  const spelled = typeof value === "number" ? String(value) : typeof value === "string" ? value.toLowerCase() : "";
  const name = protocolNumbers.get(spelled) ?? (protocols.includes(spelled) ? spelled : undefined);
  return name ?? new Refusal(`${quoted(value)} is not in [${protocols.map((known) => `'${known}'`).join(", ")}].`);
});

const range = converted({ type: "string", pattern: "^\\d+(:\\d+)?$" }, (value) => {
  const [, first = "", last = first] = (typeof value === "string" && /^(\d{1,5})(?::(\d{1,5}))?$/.exec(value)) || [];
  const [low, high] = [Number(first), Number(last)];
  if (low >= 1 && high >= low && high <= 65_535) return `${low}:${high}`;
  return new Refusal(`${quoted(value)} is not a range of ports, written as <first>:<last> within 1 and 65535.`);
});

const portNumber = orNull(integer(1, 65_535));

const ports: Readonly<Record<string, AttributeDeclaration>> = {
  external_port: {
    ...access.settable,
    schema: portNumber,
    filter: "integer",
    sort: true,
    alias: "floating-ip-port-forwarding",
    description: "Port of the floating IP; not with the range form.",
  },
  external_port_range: {
    ...access.settable,
    schema: orNull(range),
    filter: "text",
    sort: true,
    alias: "floating-ip-port-forwarding-port-ranges",
    description: "Ports of the floating IP, as first:last.",
  },
  internal_port: {
    ...access.settable,
    schema: portNumber,
    alias: "floating-ip-port-forwarding",
    description: "Port that they lead to; not with the range form.",
  },
  internal_port_range: {
    ...access.settable,
    schema: orNull(range),
    alias: "floating-ip-port-forwarding-port-ranges",
    description: "Ports that they lead to, as first:last: as many as outside, or a single one.",
  },
};

export const portForwardingResource: ResourceDeclaration = {
  name: "port_forwarding",
  collection: "port_forwardings",
  title: "Port Forwarding",
  alias: "floating-ip-port-forwarding",
  notFound: "PortForwardingNotFound",
  description: "Leads ports of a floating IP to ports of an address inside.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    id: {
      ...access.computed,
      schema: uuid,
      filter: "uuid",
      sort: true,
      alias: "floating-ip-port-forwarding",
      description: "UUID, given by the server.",
    },
    project_id: {
      schema: ownership.project_id.schema,
      post: true,
      put: false,
      visible: false,
      alias: "floating-ip-port-forwarding",
      description: "Always that of the floating IP.",
    },
    protocol: {
      ...access.settable,
      schema: protocol,
      required: true,
      filter: "text",
      sort: true,
      alias: "floating-ip-port-forwarding",
      description: "What is forwarded, by name or number.",
    },
    internal_port_id: {
      ...access.settable,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias: "floating-ip-port-forwarding",
      description: "Port (of a device) that has the address inside.",
    },
    internal_ip_address: {
      ...access.settable,
      schema: ipAddress,
      required: true,
      filter: "ip",
      sort: true,
      alias: "floating-ip-port-forwarding",
      description: "Its IPv4 address.",
    },
    ...ports,
    description: {
      ...access.settable,
      schema: text({ maxLength: 1024, multiline: true }),
      default: "",
      filter: "text",
      alias: "floating-ip-port-forwarding-description",
      description: "Text for people.",
    },
  },
};
