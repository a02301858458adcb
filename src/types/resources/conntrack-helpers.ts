// Helpers are a collection inside each router: /v2.0/routers/<id>/conntrack_helpers.
import type { ResourceDeclaration } from "./declaration.ts";
import { access, ownership } from "./standard-attributes.ts";
import { integer, oneOf, uuid } from "./values.ts";

const alias = "l3-conntrack-helper";

/** Those of the kernel, with the protocols that they read. */
export const helperProtocols: Readonly<Record<string, readonly string[]>> = {
  amanda: ["tcp"],
  ftp: ["tcp"],
  h323: ["tcp", "udp"],
  irc: ["tcp"],
  "netbios-ns": ["udp"],
  pptp: ["tcp"],
  sane: ["tcp"],
  sip: ["tcp", "udp"],
  snmp: ["udp"],
  tftp: ["udp"],
};

const unseen = { post: true, put: false, visible: false, alias, description: "Always that of the router." } as const;

export const conntrackHelperResource: ResourceDeclaration = {
  name: "conntrack_helper",
  collection: "conntrack_helpers",
  title: "Conntrack helper",
  alias,
  notFound: "ConntrackHelperNotFound",
  description: "A helper by which a router would follow protocols that open further connections; kept and not applied.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    id: { ...access.computed, schema: uuid, filter: "uuid", sort: true, alias, description: "UUID, given by the server." },
    project_id: { ...unseen, schema: ownership.project_id.schema },
    tenant_id: { ...unseen, schema: ownership.tenant_id.schema, aliasOf: "project_id" },
    protocol: {
      ...access.settable,
      schema: oneOf(["dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp"]),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "Protocol of the connections.",
    },
    port: {
      ...access.settable,
      schema: integer(1, 65_535),
      required: true,
      filter: "integer",
      sort: true,
      alias,
      description: "Port that they are made to.",
    },
    helper: {
      ...access.settable,
      schema: oneOf(Object.keys(helperProtocols)),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "Name of the helper.",
    },
  },
};
