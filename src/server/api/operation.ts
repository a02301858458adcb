// What a route says of itself, for the OpenAPI document.
import type { JsonShape } from "../../types/resources/values.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";

/** One of the five verbs of a collection: its declaration says the rest. */
export interface CollectionOperation {
  readonly verb: "list" | "show" | "create" | "update" | "delete";
  readonly resource: ResourceDeclaration;
}

/** Any other route. */
export interface ActionOperation {
  /** One line for people, without a full stop. */
  readonly summary: string;
  /** JSON Schema of the body; without it there is none. */
  readonly request?: JsonShape;
  /** JSON Schema of the answer; without it there is an object that is not described further. */
  readonly answer?: JsonShape;
  /** Of the answer when all is well: 200 unless said. 204 has no body. */
  readonly status?: 200 | 201 | 204;
}

export type Operation = CollectionOperation | ActionOperation;

declare module "fastify" {
  interface FastifyContextConfig {
    readonly operation?: Operation;
  }
}

/** Options of a route: what it is for. */
export const described = (summary: string, more: Omit<ActionOperation, "summary"> = {}) => ({
  config: { operation: { summary, ...more } },
});

/** JSON Schema of `{<key>: [object, …]}`, for lists below another object. */
export const someObjects = (key: string): JsonShape => ({
  type: "object",
  properties: { [key]: { type: "array", items: { type: "object" } } },
  required: [key],
});

/** JSON Schema of `{<key>: "<uuid>"}`. */
export const oneId = (key: string): JsonShape => ({
  type: "object",
  properties: { [key]: { type: "string", format: "uuid" } },
  required: [key],
  additionalProperties: false,
});
