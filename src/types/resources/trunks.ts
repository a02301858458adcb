import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, integer, listOf, oneOf, readOnly, record, uuid } from "./values.ts";

const alias = "trunk";
const maxItems = 1000;

/** For `remove_subports` the port is enough. */
const anySubport = record({
  port_id: uuid,
  segmentation_type: oneOf(["vlan", "inherit"]).optional(),
  segmentation_id: integer(0).optional(),
});

/** Which segmentation ids there are is the service's rule: it depends on the type. */
const subport = anySubport.superRefine(({ segmentation_type: type, segmentation_id: id }, context) => {
  if (type === "inherit" || (type !== undefined && id !== undefined)) return;
  context.addIssue("segmentation_type and segmentation_id are needed.");
});

export const leavingSubportsSchema = listOf(anySubport, { maxItems });
export const subportsSchema = listOf(subport, {
  maxItems,
  uniqueBy: ({ segmentation_type, segmentation_id: id }) => (id === undefined ? undefined : `${segmentation_type} ${id}`),
});
export const trunkResource: ResourceDeclaration = {
  name: "trunk",
  collection: "trunks",
  title: "Trunk",
  alias,
  notFound: "TrunkNotFound",
  description: "A port that carries the traffic of others, told apart by VLAN ids; kept and not applied.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity(alias),
    ...ownership,
    admin_state_up: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias,
      description: "Whether the trunk should work; its subports can be changed while it is true.",
    },
    port_id: {
      ...access.fixed,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias,
      description: "Parent: the port that carries the others.",
    },
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "DOWN", "BUILD", "DEGRADED", "ERROR"] }),
      filter: "text",
      sort: true,
      alias,
      description: "Whether it does: DOWN, as nothing applies trunks.",
    },
    sub_ports: {
      ...access.fixed,
      schema: subportsSchema,
      default: [],
      alias,
      description: "Ports that it carries: port_id, segmentation_type (vlan or inherit) and segmentation_id.",
    },
    ...standardAttributes,
  },
};
