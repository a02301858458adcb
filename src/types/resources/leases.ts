// Leases are not part of the Networking v2.0 API: they are what the DHCP servers on the hosts really gave out.
import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";

const string = readOnly({ type: "string" });
const stringOrNull = readOnly({ type: ["string", "null"] });
const timestampOrNull = readOnly({ type: ["string", "null"], format: "date-time" });

const shown = { ...access.computed, sort: true, alias: "leases" } as const;

const attributes: Readonly<Record<string, AttributeDeclaration>> = {
  id: { ...shown, schema: string, filter: "text", description: "Network id and address, joined by an underscore." },
  network_id: { ...shown, schema: string, filter: "uuid", description: "Network that the address is on." },
  ip_address: { ...shown, schema: string, filter: "ip", description: "The leased address." },
  port_id: { ...shown, schema: stringOrNull, filter: "uuid", description: "Port that the address belongs to, if any." },
  mac_address: { ...shown, schema: stringOrNull, filter: "mac", description: "MAC address of the client." },
  hostname: { ...shown, schema: stringOrNull, filter: "text", description: "Name that the client sent." },
  expires_at: { ...shown, schema: timestampOrNull, description: "When it ends, UTC; null is never." },
  last_seen_at: { ...shown, schema: string, description: "When the client last asked, UTC." },
  host: { ...shown, schema: string, filter: "text", description: "Host whose agent gave it out." },
};

export const leaseResource: ResourceDeclaration = {
  name: "lease",
  collection: "leases",
  title: "Lease",
  alias: "leases",
  notFound: "LeaseNotFound",
  description: "A lease that a DHCP server gave out, as its agent reported it.",
  canCreate: false,
  canUpdate: false,
  canDelete: false,
  bulk: false,
  attributes,
};
