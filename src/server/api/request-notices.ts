// Tells that somebody asks for a change, before it is known what comes of it.
import type { FastifyInstance } from "fastify";
import type { CollectionOperation } from "./operation.ts";

export interface RequestNotice {
  readonly resource: string;
  readonly action: "create" | "update" | "delete";
  /** Of the object; null where there is none yet. */
  readonly id: string | null;
  readonly request_id: string;
  readonly project_id: string;
  /** As the client sent it. */
  readonly body: unknown;
}

export type NoticeListener = (notice: RequestNotice) => void;

type Writing = CollectionOperation & { readonly verb: RequestNotice["action"] };

const isWriting = (operation: CollectionOperation): operation is Writing =>
  ["create", "update", "delete"].includes(operation.verb);

export function installRequestNotices(app: FastifyInstance, tell: NoticeListener): void {
  app.addHook("preHandler", async (request) => {
    const { operation } = request.routeOptions.config;
    if (operation === undefined || !("verb" in operation) || !isWriting(operation)) return;
    const { id = null } = request.params as { readonly id?: string };
    const { projectId = "" } = request.identity ?? {};
    const { verb: action, resource } = operation;
    const body = request.body ?? null;
    tell({ resource: resource.name, action, id, request_id: request.id, project_id: projectId, body });
  });
}
