// The five verbs of one collection, from its declaration and its service.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { attributeOf, pathOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader, ResourceService } from "../services/resource-service.ts";
import { AnswerView } from "./answer-view.ts";
import { parseCreate, parseUpdate } from "./attribute-input.ts";
import { openCreateEnvelope, openUpdateEnvelope } from "./body-envelope.ts";
import { expectedRevision } from "./if-match.ts";
import { pageLinks } from "./links.ts";
import { writeList } from "./list-answer.ts";
import { parseFields, parseListRequest } from "./list-request.ts";
import { notFound, parseId } from "./object-id.ts";
import type { CollectionOperation } from "./operation.ts";
import { scoped } from "./request-scope.ts";

/** A service that has the verbs which the declaration allows, and perhaps no others. */
export type CollectionService = ResourceReader & Partial<Pick<ResourceService, "create" | "update" | "remove">>;

interface Collection {
  readonly resource: ResourceDeclaration;
  readonly serviceOf: (request: FastifyRequest) => CollectionService;
  readonly view: AnswerView;
  /** As routes are written; `:parentId` is the object that a collection is inside of. */
  readonly path: string;
}

declare module "fastify" {
  interface FastifyInstance {
    /** Of every top-level collection, by the name of its resource. */
    readonly readers: Map<string, ResourceReader>;
    /** 0: any number. */
    readonly maxPageSize: number;
  }
}

export function registerCollection(app: FastifyInstance, resource: ResourceDeclaration, service: CollectionService): void {
  app.readers.set(resource.name, service);
  registerVerbs(app, {
    resource,
    serviceOf: () => service,
    view: new AnswerView(resource),
    path: `/v2.0/${pathOf(resource)}`,
  });
}

/** A collection inside each object of another one. The service says whether there is such an object. */
export function registerSubCollection(
  app: FastifyInstance,
  {
    parent,
    resource,
    serviceOf,
  }: {
    readonly parent: ResourceDeclaration;
    readonly resource: ResourceDeclaration;
    readonly serviceOf: (parentId: string) => CollectionService;
  },
): void {
  registerVerbs(app, {
    resource,
    serviceOf: (request) => serviceOf(parseId(parent, parentIdOf(request))),
    view: new AnswerView(resource),
    path: `/v2.0/${pathOf(parent)}/:parentId/${pathOf(resource)}`,
  });
}

/** The router gives every named part of the path as text. */
const parentIdOf = (request: FastifyRequest): string => (request.params as { readonly parentId?: string }).parentId ?? "";

function registerVerbs(app: FastifyInstance, collection: Collection): void {
  const { resource } = collection;
  registerReading(app, collection);
  if (resource.canCreate) registerCreate(app, collection);
  if (resource.canUpdate) registerUpdate(app, collection);
  if (resource.canDelete) registerDelete(app, collection);
}

export function queryOf(request: FastifyRequest): URLSearchParams {
  const url = request.raw.url ?? "";
  const start = url.indexOf("?");
  return new URLSearchParams(start < 0 ? "" : url.slice(start + 1));
}

/** The id in the path; on a collection for administrators nobody else learns which ids there are. */
export function idOf(request: FastifyRequest, resource: ResourceDeclaration, context: RequestContext): string {
  // The router gives every named part of the path as text.
  const { id } = request.params as { readonly id: string };
  if (resource.adminOnly === true && !context.isAdmin) throw notFound(resource, id);
  return parseId(resource, id);
}

const operation = (verb: CollectionOperation["verb"], resource: ResourceDeclaration) => ({
  config: { operation: { verb, resource } },
});

function registerReading(app: FastifyInstance, { resource, serviceOf, view, path }: Collection): void {
  app.get(
    path,
    operation("list", resource),
    scoped(async (request, reply, context) => {
      const params = queryOf(request);
      const list = parseListRequest(resource, params, context, app.maxPageSize);
      const isHidden = resource.adminOnly === true && !context.isAdmin;
      const found = isHidden || list.matchesNothing ? [] : await itemsOf(serviceOf(request), context, list.query);
      const here = path.replace(":parentId", parentIdOf(request));
      const body = writeList({
        ...{ collection: resource.collection, items: found, view: view.each(context, list.fields) },
        linksOf: (items) => pageLinks(request, here, params, { list, items }),
      });
      return reply.type("application/json; charset=utf-8").send(body);
    }),
  );
  app.get(
    `${path}/:id`,
    operation("show", resource),
    scoped(async (request, _reply, context) => {
      const item = await serviceOf(request).show(context, idOf(request, resource, context));
      return { [resource.name]: view.one(item, context, parseFields(queryOf(request))) };
    }),
  );
}

const itemsOf = async (service: CollectionService, context: RequestContext, query: ListQuery): Promise<Iterable<Attributes>> =>
  service.each === undefined ? service.list(context, query) : service.each(context, query);

function registerCreate(app: FastifyInstance, { resource, serviceOf, view, path }: Collection): void {
  app.post(
    path,
    operation("create", resource),
    scoped(async (request, reply, context) => {
      const { isBulk, items } = openCreateEnvelope(resource, request.body);
      const bodies = items.map((item, index) =>
        isBulk ? withPlace(index, () => parseCreate(resource, item, context)) : parseCreate(resource, item, context),
      );
      const created = (await serviceOf(request).create?.(context, bodies)) ?? [];
      reply.code(201);
      const [first = {}] = created;
      return isBulk ? { [resource.collection]: view.many(created, context) } : { [resource.name]: view.one(first, context) };
    }, resource),
  );
}

/** Says which item of a bulk was wrong. */
function withPlace(index: number, parse: () => Attributes): Attributes {
  try {
    return parse();
  } catch (thrown) {
    if (!(thrown instanceof ApiFault)) throw thrown;
    throw new ApiFault(thrown.type, `${thrown.message} (item ${index} of the request)`, thrown);
  }
}

function registerUpdate(app: FastifyInstance, { resource, serviceOf, view, path }: Collection): void {
  app.put(
    `${path}/:id`,
    operation("update", resource),
    scoped(async (request, _reply, context) => {
      const id = idOf(request, resource, context);
      const service = serviceOf(request);
      const changes = await ifSeen(
        () => parseUpdate(resource, openUpdateEnvelope(resource, request.body), context),
        () => service.show(context, id),
      );
      const item = await service.update?.(context, id, changes, revisionOf(request, resource));
      return { [resource.name]: view.one(item ?? {}, context) };
    }, resource),
  );
}

/** Whoever does not see an object is told that there is none, and not what he may not do with it. */
async function ifSeen<T>(work: () => T, look: () => Promise<unknown>): Promise<T> {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof ApiFault && thrown.type === "PolicyNotAuthorized") await look();
    throw thrown;
  }
}

function registerDelete(app: FastifyInstance, { resource, serviceOf, path }: Collection): void {
  app.delete(
    `${path}/:id`,
    operation("delete", resource),
    scoped(async (request, reply, context) => {
      await serviceOf(request).remove?.(context, idOf(request, resource, context), revisionOf(request, resource));
      return reply.code(204).send();
    }, resource),
  );
}

export function revisionOf(request: FastifyRequest, resource: ResourceDeclaration): number | undefined {
  const revision = expectedRevision(request.headers["if-match"]);
  if (revision === undefined || attributeOf(resource, "revision_number") !== undefined) return revision;
  throw new ApiFault("BadRequest", `If-Match cannot be used on ${resource.collection}: they have no revision_number.`);
}
