import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";

function shown(values: readonly string[] | undefined, description: string): AttributeDeclaration {
  const schema = readOnly(values === undefined ? { type: "string" } : { enum: values });
  return { ...access.computed, schema, filter: "text", sort: true, alias: "availability_zone", description };
}

export const availabilityZoneResource: ResourceDeclaration = {
  name: "availability_zone",
  collection: "availability_zones",
  title: "Availability Zone",
  alias: "availability_zone",
  notFound: "AvailabilityZoneNotFound",
  description: "A zone that agents say they are in, once for each kind of work that they do there.",
  canCreate: false,
  canUpdate: false,
  canDelete: false,
  bulk: false,
  attributes: {
    name: shown(undefined, "Name of the zone."),
    resource: shown(["network", "router"], "What agents of the zone serve."),
    state: shown(["available", "unavailable"], "Whether any of them takes new work."),
  },
};
