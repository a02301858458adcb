// What a client sent for one object → attributes that a service may trust: known, allowed, checked, canonical, defaulted.
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { ApiFault } from "../../types/api-faults.ts";
import {
  attributeOf,
  projectAttribute,
  type AttributeDeclaration,
  type ResourceDeclaration,
} from "../../types/resources/declaration.ts";
import { brokenByCaller, type Wish } from "../../types/resources/policy.ts";
import { quoted } from "../../types/resources/values.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";

type Action = "create" | "update";

export function parseCreate(resource: ResourceDeclaration, sent: unknown, context: RequestContext): Attributes {
  const attributes = parseSent(resource, sent, context, "create");
  for (const [name, attribute] of Object.entries(resource.attributes)) {
    if (!attribute.post || Object.hasOwn(attributes, name) || attribute.aliasOf !== undefined) continue;
    if (attribute.required === true) {
      throw badRequest(`Failed to parse request. Required attribute '${name}' not specified.`);
    }
    if (attribute.default !== undefined) attributes[name] = attribute.default;
  }
  return withProject(resource, attributes, context);
}

export function parseUpdate(resource: ResourceDeclaration, sent: unknown, context: RequestContext): Attributes {
  return parseSent(resource, sent, context, "update");
}

function parseSent(
  resource: ResourceDeclaration,
  sent: unknown,
  context: RequestContext,
  action: Action,
): Record<string, unknown> {
  if (typeof sent !== "object" || sent === null || Array.isArray(sent)) {
    throw badRequest(`Invalid input for ${resource.name}. Reason: ${quoted(sent)} is not a dictionary.`);
  }
  refuseUnknown(resource, Object.keys(sent));
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(sent)) {
    const attribute = attributeOf(resource, name);
    if (attribute === undefined) continue;
    checkAllowed(name, attribute, action);
    if (action === "create" && value === null && attribute.nullIsUnset === true) continue;
    const parsed = parseValue(name, attribute, value);
    checkPolicy(name, { resource, attribute, value: parsed, action }, context);
    const target = attribute.aliasOf ?? name;
    if (Object.hasOwn(attributes, target) && !isDeepStrictEqual(attributes[target], parsed)) {
      const [other = ""] = Object.keys(sent).filter(
        (one) => one !== name && (attributeOf(resource, one)?.aliasOf ?? one) === target,
      );
      throw badRequest(
        `${[name, other]
          .toSorted()
          .map((one) => `'${one}'`)
          .join(" and ")} do not match`,
      );
    }
    attributes[target] = parsed;
  }
  return attributes;
}

function refuseUnknown(resource: ResourceDeclaration, names: readonly string[]): void {
  const unknown = names.filter((name) => attributeOf(resource, name) === undefined);
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, 5).map((name) => quoted(name));
  throw badRequest(`Unrecognized attribute(s) ${shown.join(", ")}${unknown.length > 5 ? " and others" : ""}.`);
}

function checkAllowed(name: string, attribute: AttributeDeclaration, action: Action): void {
  if (action === "create" && !attribute.post) throw badRequest(`Attribute '${name}' not allowed in POST.`);
  if (action === "update" && !attribute.put) throw badRequest(`Cannot update read-only attribute '${name}'.`);
}

function parseValue(name: string, attribute: AttributeDeclaration, value: unknown): unknown {
  const result = attribute.schema.safeParse(value);
  if (result.success) return result.data;
  throw badRequest(`Invalid input for ${name}. Reason: ${reasonOf(result.error)}`);
}

function reasonOf(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "it is not accepted.";
  const where = issue.path.map((step) => (typeof step === "number" ? `item ${step}` : String(step))).join(", ");
  return where === "" ? issue.message : `${where}: ${issue.message}`;
}

/** Sending the default on POST asks for nothing, so it is nobody's privilege. */
function checkPolicy(name: string, wish: Wish, context: RequestContext): void {
  const broken = brokenByCaller(wish, context);
  if (broken === undefined) return;
  const { resource, attribute, value, action } = wish;
  if (action === "create" && attribute.default !== undefined && isDeepStrictEqual(value, attribute.default)) return;
  const what = [`${action}_${resource.name}`, name, broken.part].filter((part) => part !== undefined).join(":");
  throw new ApiFault("PolicyNotAuthorized", `${what} is disallowed by policy.`);
}

function withProject(resource: ResourceDeclaration, attributes: Record<string, unknown>, context: RequestContext): Attributes {
  if (attributeOf(resource, projectAttribute)?.post !== true) return attributes;
  if (resource.mayBeForAll === true && attributes[projectAttribute] === undefined) return attributes;
  const owner = (attributes[projectAttribute] ??= context.projectId);
  const mayGive = context.isAdmin || (context.isService === true && resource.serviceWrites === true);
  if (owner !== context.projectId && !mayGive) {
    throw badRequest("Specifying another 'project_id' or 'tenant_id' than the caller's requires admin privileges.");
  }
  return attributes;
}

function badRequest(message: string): ApiFault {
  return new ApiFault("HTTPBadRequest", message);
}
