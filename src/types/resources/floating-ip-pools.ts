import type { AttributeDeclaration, FilterType, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";

function shown(filter: FilterType, description: string): AttributeDeclaration {
  return {
    ...access.computed,
    schema: readOnly({ type: "string" }),
    filter,
    sort: true,
    alias: "floatingip-pools",
    description,
  };
}

const project = shown("text", "Project that owns it.");

export const floatingIpPoolResource: ResourceDeclaration = {
  name: "floatingip_pool",
  collection: "floatingip_pools",
  title: "Floating IP Pool",
  alias: "floatingip-pools",
  notFound: "SubnetNotFound",
  description: "A subnet that floating IPs are taken from.",
  canCreate: false,
  canUpdate: false,
  canDelete: false,
  bulk: false,
  attributes: {
    subnet_id: shown("uuid", "The subnet."),
    subnet_name: shown("text", "Its name."),
    network_id: shown("uuid", "The external network that it is on."),
    cidr: shown("cidr", "Its block of addresses."),
    project_id: project,
    tenant_id: { ...project, aliasOf: "project_id", description: "The older name of project_id." },
  },
};
