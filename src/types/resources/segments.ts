import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { integer, orNull, text, uuid } from "./values.ts";

const alias = "segment";
const { tags: _untagged, ...standard } = standardAttributes;

/** Segments are their network's: who made one is not told. */
const hidden = (attribute: AttributeDeclaration): AttributeDeclaration => {
  const { filter: _filter, sort: _sort, ...rest } = attribute;
  return { ...rest, visible: false };
};

export const segmentResource: ResourceDeclaration = {
  name: "segment",
  collection: "segments",
  title: "Segment",
  alias,
  notFound: "SegmentNotFound",
  description: "What carries a network, or one of the parts that carry it.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  adminOnly: true,
  attributes: {
    id: identity(alias).id,
    project_id: hidden(ownership.project_id),
    tenant_id: hidden(ownership.tenant_id),
    network_id: {
      ...access.fixed,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias,
      description: "Network that it is part of.",
    },
    physical_network: {
      ...access.fixed,
      schema: text({ maxLength: 64, minLength: 1 }),
      nullIsUnset: true,
      filter: "text",
      sort: true,
      alias,
      description: "Name of the physical network below a flat or vlan segment.",
    },
    network_type: {
      ...access.fixed,
      schema: text({ maxLength: 32, minLength: 1 }),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "local, flat, vlan or vxlan.",
    },
    segmentation_id: {
      ...access.fixed,
      schema: integer(1, 16_777_215),
      nullIsUnset: true,
      sort: true,
      alias,
      description: "VLAN id or VXLAN network identifier; chosen from the segment ranges when not given.",
    },
    name: {
      ...access.settable,
      schema: orNull(text({ maxLength: 255, notBlank: true })),
      filter: "text",
      sort: true,
      alias,
      description: "Name for people; null is none.",
    },
    ...standard,
  },
};
