// Bindings are a collection inside each port, told apart by their hosts: /v2.0/ports/<id>/bindings.
import type { ResourceDeclaration } from "./declaration.ts";
import { vnicTypes } from "./ports.ts";
import { access, ownership } from "./standard-attributes.ts";
import { jsonObject, oneOf, readOnly, text } from "./values.ts";

const alias = "binding-extended";

export const portBindingResource: ResourceDeclaration = {
  name: "binding",
  collection: "bindings",
  title: "Port binding",
  alias,
  notFound: "PortBindingNotFound",
  description: "A host that a port is plugged on, or will be when it moves there: one is ACTIVE, others wait.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: false,
  serviceWrites: true,
  attributes: {
    host: {
      ...access.settable,
      schema: text({ maxLength: 255, minLength: 1 }),
      required: true,
      filter: "text",
      alias,
      description: "Host; one binding of a port for each.",
    },
    vif_type: {
      ...access.computed,
      schema: readOnly({ type: "string" }),
      filter: "text",
      alias,
      description: "How the port is plugged there.",
    },
    vif_details: {
      ...access.computed,
      schema: readOnly({ type: "object" }),
      alias,
      description: "What plugging needs to know.",
    },
    vnic_type: {
      ...access.settable,
      schema: oneOf(vnicTypes),
      default: "normal",
      filter: "text",
      alias,
      description: "Kind of device that the instance wants.",
    },
    profile: {
      ...access.settable,
      schema: jsonObject(4095),
      alias,
      description: "What the compute side says about the device.",
    },
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "INACTIVE"] }),
      filter: "text",
      alias,
      description: "Whether it is the one in force.",
    },
    project_id: {
      ...{ post: true, put: false, visible: false },
      schema: ownership.project_id.schema,
      alias,
      description: "Always that of the port.",
    },
  },
};
