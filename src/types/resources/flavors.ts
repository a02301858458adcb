// Choices between implementations. This server has one of each, so these lists are empty; clients ask for them all the same.
import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";

function shown(type: "string" | "boolean" | "array", alias: string, description: string): AttributeDeclaration {
  const filter = type === "boolean" ? "boolean" : "text";
  return { ...access.computed, schema: readOnly({ type }), ...(type === "array" ? {} : { filter }), alias, description };
}

const readOnlyResource = { canCreate: false, canUpdate: false, canDelete: false, bulk: false } as const;

export const serviceProviderResource: ResourceDeclaration = {
  ...readOnlyResource,
  name: "service_provider",
  collection: "service_providers",
  path: "service-providers",
  title: "Service Provider",
  alias: "service-type",
  notFound: "HTTPNotFound",
  description: "An implementation of a service. There is one of each here, which nobody needs to choose.",
  attributes: {
    service_type: shown("string", "service-type", "What it serves."),
    name: shown("string", "service-type", "Its name."),
    default: shown("boolean", "service-type", "Whether it is used where nobody chooses."),
  },
};

export const flavorResource: ResourceDeclaration = {
  ...readOnlyResource,
  name: "flavor",
  collection: "flavors",
  title: "Flavor",
  alias: "flavors",
  notFound: "FlavorNotFound",
  description: "A choice of implementation under a name. There are none here.",
  attributes: {
    id: { ...shown("string", "flavors", "UUID."), filter: "uuid", sort: true },
    name: { ...shown("string", "flavors", "Name for people."), sort: true },
    description: shown("string", "flavors", "Text for people."),
    service_type: shown("string", "flavors", "What it is about."),
    enabled: shown("boolean", "flavors", "Whether it can be chosen."),
    service_profiles: shown("array", "flavors", "What it stands for."),
  },
};

export const serviceProfileResource: ResourceDeclaration = {
  ...readOnlyResource,
  name: "service_profile",
  collection: "service_profiles",
  title: "Service Profile",
  alias: "flavors",
  notFound: "ServiceProfileNotFound",
  description: "What a flavor stands for. There are none here.",
  attributes: {
    id: { ...shown("string", "flavors", "UUID."), filter: "uuid", sort: true },
    description: shown("string", "flavors", "Text for people."),
    driver: shown("string", "flavors", "Name of an implementation."),
    enabled: shown("boolean", "flavors", "Whether it can be used."),
    metainfo: shown("string", "flavors", "What the implementation is told."),
  },
};
