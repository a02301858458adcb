// Options of `create` and `set` from the declaration of a resource: `--dns-nameserver` for dns_nameservers,
// `--fixed-ip subnet=blue,ip-address=10.0.0.5` for the items of fixed_ips, `--network blue` for network_id.
import { z } from "zod";
import type { AttributeDeclaration, ResourceDeclaration } from "../types/resources/declaration.ts";
import { type AttributeOption, flagNames, type OptionKind, references } from "./attribute-values.ts";

interface JsonSchema {
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

export function attributeOptions(resource: ResourceDeclaration, verb: "post" | "put"): readonly AttributeOption[] {
  return Object.entries(resource.attributes)
    .filter(([, declaration]) => declaration[verb] && declaration.aliasOf === undefined)
    .map(([attribute, declaration]) => describe(attribute, declaration, verb));
}

function describe(attribute: string, declaration: AttributeDeclaration, verb: "post" | "put"): AttributeOption {
  const whole = z.toJSONSchema(declaration.schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const isNullable = whole.anyOf?.some((branch) => branch.type === "null") ?? false;
  const plain = whole.anyOf?.find((branch) => branch.type !== "null") ?? whole;
  const isList = plain.type === "array";
  const item = isList ? (plain.items ?? {}) : plain;
  const properties = Object.entries(item.properties ?? {});
  return {
    attribute,
    flag: flagOf(attribute, isList),
    kind: properties.length > 0 ? "record" : kindOf(item),
    isList,
    isNullable,
    choices: (item.enum ?? []).map(String),
    keys: Object.fromEntries(properties.map(([key, schema]) => [key, kindOf(schema.anyOf?.[0] ?? schema)])),
    isRequired: verb === "post" && declaration.required === true,
    description: declaration.description.replace(/\.$/, ""),
  };
}

function flagOf(attribute: string, isList: boolean): string {
  const own = flagNames[attribute];
  if (own !== undefined) return own;
  const name = references[attribute] ?? attribute;
  return (isList ? name.replace(/(?<=x|ss)es$|s$/, "") : name).replaceAll(/[_:]/g, "-");
}

function kindOf(schema: JsonSchema): OptionKind {
  if (schema.type === "integer" || schema.enum?.every((value) => typeof value === "number") === true) return "integer";
  if (schema.type === "boolean") return "boolean";
  return schema.type === "object" ? "object" : "text";
}
