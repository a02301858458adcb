// How a resource of the API is declared. A declaration is data that only grows: validation, policy, list mechanics, OpenAPI
// and the CLI all read it, and nothing else knows which attributes there are.
import type { z } from "zod";
import type { FaultType } from "../api-faults.ts";

/** How the text of a list filter becomes a value. `fixed-ips` takes `ip_address=`, `subnet_id=` and `ip_address_substr=`. */
export type FilterType = "text" | "uuid" | "integer" | "boolean" | "mac" | "ip" | "cidr" | "fixed-ips";

/** What only an administrator may do with an attribute: give it on create, change it, see it. In short for a rule that allows nobody. */
export interface AdminOnly {
  readonly create?: true;
  readonly update?: true;
  readonly read?: true;
}

/**
 * Administrators may everything and are never named. `service` and `manager` are roles of the caller. The other two are about the
 * network that the object is on, which only its service can judge: `network-owner` has it in its own project, `network-guest`
 * is one that it is shared with.
 */
export type Allowed = "service" | "manager" | "network-owner" | "network-guest";

export interface AttributeRule {
  readonly on: readonly ("create" | "update" | "read")[];
  readonly allow: readonly Allowed[];
  /** The rule is only about values for which this holds; they are parsed already. */
  readonly when?: (value: unknown) => boolean;
  /** What of the value it is about, for people. */
  readonly part?: string;
}

export interface AttributeDeclaration {
  /** Checks what a client sent and converts it to the canonical value that services get. */
  readonly schema: z.ZodType;
  /** May be sent on POST. */
  readonly post: boolean;
  /** May be sent on PUT. */
  readonly put: boolean;
  /** Is part of answers. */
  readonly visible: boolean;
  readonly required?: true;
  /** Canonical value on POST when the client sent none; without it the attribute stays absent, which is not null. */
  readonly default?: unknown;
  /** On POST, null means the same as not sending the attribute. */
  readonly nullIsUnset?: true;
  /** Present when lists can be filtered by it. */
  readonly filter?: FilterType;
  readonly sort?: true;
  readonly adminOnly?: AdminOnly;
  /** Who may what with the attribute. Without any, whoever may create, change or see the object. All that concern a wish must hold. */
  readonly rules?: readonly AttributeRule[];
  /** A second name of that attribute: the same value in answers, filters and sort keys; services only see the first name. */
  readonly aliasOf?: string;
  /** Only the value that asks for nothing is taken: there is nothing to choose. */
  readonly withoutEffect?: true;
  /** Alias of the API extension that brings it. */
  readonly alias: string;
  /** One line for people: OpenAPI and the help of the CLI. */
  readonly description: string;
}

export interface ResourceDeclaration {
  readonly name: string;
  /** Key of lists in bodies and, unless `path` says otherwise, the last part of the URL. */
  readonly collection: string;
  /** Below `/v2.0/`, where it is not the collection's name: `address-scopes`, `qos/policies`. */
  readonly path?: string;
  /** For people: "Network", as in "Network 3f… could not be found." */
  readonly title: string;
  readonly alias: string;
  readonly notFound: FaultType;
  readonly description: string;
  /** In the order of answers. */
  readonly attributes: Readonly<Record<string, AttributeDeclaration>>;
  readonly canCreate: boolean;
  readonly canUpdate: boolean;
  readonly canDelete: boolean;
  /** POST takes several at once under the name of the collection. */
  readonly bulk: boolean;
  /** Nobody but administrators learns that such objects exist. */
  readonly adminOnly?: true;
  /** An administrator who sends no `project_id` on create makes one that is for all projects. */
  readonly mayBeForAll?: true;
  /** Callers with role `service` may write them, in every project. */
  readonly serviceWrites?: true;
  /** Its service judges the rules that are about the network of an object; without this they allow nobody. */
  readonly judgesNetworkRules?: true;
}

/** `project_id` of the caller's own is filled in by the API; these names take part in that. */
export const projectAttribute = "project_id";

/** Below `/v2.0/`. */
export const pathOf = ({ path, collection }: ResourceDeclaration): string => path ?? collection;

/** The declaration of an own attribute; never one inherited from Object.prototype, whatever a client sends as its name. */
export function attributeOf(resource: ResourceDeclaration, name: string): AttributeDeclaration | undefined {
  return Object.hasOwn(resource.attributes, name) ? resource.attributes[name] : undefined;
}
