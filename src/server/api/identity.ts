// Who asks. Without an authentication service the headers are believed, so this mode belongs on loopback.
import type { FastifyRequest } from "fastify";
import type { RequestContext } from "../services/resource-service.ts";
import { ApiFault } from "../../types/api-faults.ts";

/** Project of whoever names none; such a caller has the rights of an administrator. */
export const defaultProjectId = "00000000000000000000000000000001";

const maxProjectLength = 255;

/** X-Project-Id (or X-Tenant-Id) and X-Roles, as sent. X-User-Id decides nothing yet. */
export function identify(request: FastifyRequest): RequestContext {
  const projectId = headerText(request, "x-project-id") || headerText(request, "x-tenant-id");
  if (projectId === "") return { requestId: request.id, projectId: defaultProjectId, isAdmin: true };
  if (projectId.length > maxProjectLength) throw new ApiFault("HTTPBadRequest", "X-Project-Id is too long.");
  const roles = headerText(request, "x-roles").toLowerCase().split(",");
  return { requestId: request.id, projectId, isAdmin: roles.some((role) => role.trim() === "admin") };
}

function headerText(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(",") : (value ?? "")).trim();
}
