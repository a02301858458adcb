// JSON Schemas of what clients send and get, from the declarations.
import { z } from "zod";
import type { AttributeDeclaration, ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { JsonShape } from "../../types/resources/values.ts";

export type Use = "answer" | "create" | "update";

/** `Network`, `NetworkCreate`, `NetworkUpdate`. */
export function schemaName({ name }: ResourceDeclaration, use: Use): string {
  const words = name.split(/[_-]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  const ending = { answer: "", create: "Create", update: "Update" }[use];
  return `${words.join("")}${ending}`;
}

export function schemaOf(resource: ResourceDeclaration, use: Use): JsonShape {
  const part = { answer: "visible", create: "post", update: "put" } as const;
  const attributes = Object.entries(resource.attributes).filter(([, attribute]) => attribute[part[use]]);
  const required = use === "create" ? attributes.filter(([, { required: must }]) => must === true).map(([name]) => name) : [];
  return {
    type: "object",
    description: resource.description,
    properties: Object.fromEntries(attributes.map(([name, attribute]) => [name, attributeSchema(attribute, use)])),
    ...(required.length === 0 ? {} : { required }),
    // A client that sends what we do not know is told so; one that gets what it does not know ignores it.
    ...(use === "answer" ? {} : { additionalProperties: false }),
  };
}

function attributeSchema(attribute: AttributeDeclaration, use: Use): JsonShape {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(attribute.schema, { io: "input" }) as Record<string, unknown>;
  const description = [attribute.description, rightsOf(attribute, use)].filter((text) => text !== "").join(" ");
  const withDefault = use === "create" && attribute.default !== undefined ? { default: attribute.default } : {};
  if (use !== "answer") return { ...shape, ...withDefault, description };
  // What nobody has set yet is null, also where null cannot be sent.
  return { anyOf: [shape, { type: "null" }], description };
}

function rightsOf({ adminOnly }: AttributeDeclaration, use: Use): string {
  const isForAdmins = use === "answer" ? adminOnly?.read === true : adminOnly?.[use] === true;
  return isForAdmins ? "Administrators only." : "";
}
