import type { AttributeDeclaration, FilterType, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { type JsonShape, readOnly } from "./values.ts";

const alias = "network-ip-availability";

function shown(shape: JsonShape, description: string, filter?: FilterType): AttributeDeclaration {
  const filterable = filter === undefined ? {} : { filter };
  return { ...access.computed, schema: readOnly(shape), ...filterable, alias, description };
}

const uuidShape = { type: "string", format: "uuid" };
const project = shown({ type: "string" }, "Project of the network.", "text");

export const networkIpAvailabilityResource: ResourceDeclaration = {
  name: "network_ip_availability",
  collection: "network_ip_availabilities",
  path: "network-ip-availabilities",
  title: "Network",
  alias,
  notFound: "NetworkNotFound",
  description: "How many addresses of a network's pools there are, and how many ports have.",
  canCreate: false,
  canUpdate: false,
  canDelete: false,
  bulk: false,
  adminOnly: true,
  attributes: {
    network_id: { ...shown(uuidShape, "The network.", "uuid"), sort: true },
    network_name: shown({ type: "string" }, "Its name.", "text"),
    project_id: project,
    tenant_id: { ...project, aliasOf: "project_id", description: "The older name of project_id." },
    total_ips: shown({ type: "integer" }, "Addresses in the allocation pools of all its subnets."),
    used_ips: shown({ type: "integer" }, "Addresses that ports have."),
    subnet_ip_availability: shown({ type: "array", items: { type: "object" } }, "The same of each subnet."),
    ip_version: { ...shown({ enum: [4, 6] }, "Only subnets of this version are counted.", "integer"), visible: false },
  },
};
