// GET /openapi.json: what this server takes and gives, as an OpenAPI 3.1 document. It is made of the routes that are really
// there and of the declarations that really check, so it cannot say anything else than they do.
import type { FastifyInstance } from "fastify";
import { pathOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { JsonShape } from "../../types/resources/values.ts";
import { schemaName, schemaOf, type Use } from "./openapi-schemas.ts";
import type { ActionOperation, CollectionOperation, Operation } from "./operation.ts";

interface Route {
  readonly method: string;
  readonly url: string;
  readonly operation: Operation | undefined;
}

declare module "fastify" {
  interface FastifyInstance {
    /** All that there are, with what they say of themselves. */
    readonly routes: readonly Route[];
  }
}

/** Must be installed before the routes that it tells of. */
export function installOpenApi(app: FastifyInstance, version: string): void {
  const routes: Route[] = [];
  app.decorate("routes", routes);
  let document: JsonShape | undefined;
  app.addHook("onRoute", ({ method, url, config }) => {
    for (const verb of [method].flat()) routes.push({ method: verb, url, operation: config?.operation });
  });
  app.get("/openapi.json", { config: { access: "everybody", operation: { summary: "This document" } } }, async () => {
    document ??= buildOpenApi(routes, version);
    return document;
  });
}

export function buildOpenApi(routes: readonly Route[], version: string): JsonShape {
  const paths: Record<string, Record<string, unknown>> = {};
  const resources = new Set<ResourceDeclaration>();
  for (const { method, url, operation } of routes) {
    if (operation !== undefined && "verb" in operation) resources.add(operation.resource);
    const path = url.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] ??= { ...pathParameters(url) };
    paths[path][method.toLowerCase()] = describe(method, operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "netloom", version, description: "The Networking v2.0 API." },
    paths,
    components: { schemas: componentSchemas([...resources]) },
  };
}

function pathParameters(url: string): JsonShape {
  const names = [...url.matchAll(/:(\w+)/g)].map(([, name]) => name);
  if (names.length === 0) return {};
  return { parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })) };
}

function describe(method: string, operation: Operation | undefined): JsonShape {
  if (operation === undefined) return answering({ summary: `${method} without a description` });
  return "verb" in operation ? describeCollection(operation) : answering(operation);
}

function answering({ summary, request, answer = { type: "object" }, status = 200 }: ActionOperation): JsonShape {
  return { summary, ...(request === undefined ? {} : bodyOf(request)), responses: responses(status, answer) };
}

const json = (schema: JsonShape): JsonShape => ({ content: { "application/json": { schema } } });
const bodyOf = (schema: JsonShape): JsonShape => ({ requestBody: { required: true, ...json(schema) } });
const ref = (name: string): JsonShape => ({ $ref: `#/components/schemas/${name}` });

function responses(status: number, answer: JsonShape): JsonShape {
  const success = status === 204 ? { description: "Done." } : { description: "Done.", ...json(answer) };
  return { [status]: success, default: { description: "Refused or failed.", ...json(ref("Fault")) } };
}

function describeCollection({ verb, resource }: CollectionOperation): JsonShape {
  const { name, collection } = resource;
  const tags = [pathOf(resource)];
  const one = (use: Use): JsonShape => wrapped(name, ref(schemaName(resource, use)));
  const title = resource.title.toLowerCase();
  switch (verb) {
    case "list":
      return {
        tags,
        summary: `List ${collection}`,
        parameters: listParameters(resource),
        responses: responses(200, listOf(resource)),
      };
    case "show":
      return { tags, summary: `Show a ${title}`, parameters: [fieldsParameter], responses: responses(200, one("answer")) };
    case "create":
      return {
        tags,
        summary: `Create a ${title}`,
        ...bodyOf(creation(resource)),
        responses: responses(201, created(resource)),
      };
    case "update":
      return { tags, summary: `Change a ${title}`, ...conditional(resource, { ...bodyOf(one("update")) }, one("answer"), 200) };
    case "delete":
      return { tags, summary: `Delete a ${title}`, ...conditional(resource, {}, {}, 204) };
  }
}

function conditional(resource: ResourceDeclaration, body: JsonShape, answer: JsonShape, status: number): JsonShape {
  const hasRevision = Object.hasOwn(resource.attributes, "revision_number");
  return { ...(hasRevision ? { parameters: [ifMatchParameter] } : {}), ...body, responses: responses(status, answer) };
}

const wrapped = (key: string, schema: JsonShape): JsonShape => ({
  type: "object",
  properties: { [key]: schema },
  required: [key],
});

const listOf = (resource: ResourceDeclaration): JsonShape =>
  wrapped(resource.collection, { type: "array", items: ref(schemaName(resource, "answer")) });

/** One object, or several at once. */
function creation(resource: ResourceDeclaration): JsonShape {
  const body = ref(schemaName(resource, "create"));
  const single = wrapped(resource.name, body);
  if (!resource.bulk) return single;
  return { anyOf: [single, wrapped(resource.collection, { type: "array", minItems: 1, items: body })] };
}

function created(resource: ResourceDeclaration): JsonShape {
  const single = wrapped(resource.name, ref(schemaName(resource, "answer")));
  return resource.bulk ? { anyOf: [single, listOf(resource)] } : single;
}

const query = (name: string, schema: JsonShape, description: string): JsonShape => ({ name, in: "query", schema, description });
const texts = { type: "array", items: { type: "string" } } as const;
const fieldsParameter = query("fields", texts, "Attributes of the answer; all of them if not said.");
const ifMatchParameter = {
  name: "If-Match",
  in: "header",
  schema: { type: "string", pattern: "^revision_number=\\d+$" },
  description: "Refuse unless the object still has this revision.",
} as const;

function listParameters({ attributes }: ResourceDeclaration): readonly JsonShape[] {
  const declared = Object.entries(attributes);
  const sortable = declared.filter(([, attribute]) => attribute.sort === true).map(([name]) => name);
  const filters = declared.filter(([, attribute]) => attribute.filter !== undefined);
  return [
    fieldsParameter,
    query("limit", { type: "integer", minimum: 0 }, "At most so many; 0 is no limit."),
    query("marker", { type: "string" }, "Id of the last object of the page before."),
    query("page_reverse", { type: "boolean" }, "Walk back from the marker."),
    ...(sortable.length === 0
      ? []
      : [
          query("sort_key", { type: "array", items: { enum: sortable } }, "Order by these."),
          query("sort_dir", { type: "array", items: { enum: ["asc", "desc"] } }, "One for each sort_key."),
        ]),
    ...(Object.hasOwn(attributes, "updated_at")
      ? [query("changed_since", { type: "string", format: "date-time" }, "Not older than this.")]
      : []),
    ...filters.map(([name, attribute]) => query(name, texts, `${attribute.description} Repeats are alternatives.`)),
  ];
}

function componentSchemas(resources: readonly ResourceDeclaration[]): JsonShape {
  const schemas: Record<string, JsonShape> = { Fault: faultSchema };
  for (const resource of resources) {
    schemas[schemaName(resource, "answer")] = schemaOf(resource, "answer");
    if (resource.canCreate) schemas[schemaName(resource, "create")] = schemaOf(resource, "create");
    if (resource.canUpdate) schemas[schemaName(resource, "update")] = schemaOf(resource, "update");
  }
  return schemas;
}

const faultSchema: JsonShape = wrapped("NeutronError", {
  type: "object",
  properties: { type: { type: "string" }, message: { type: "string" }, detail: { type: "string" } },
  required: ["type", "message", "detail"],
});
