// GET /v2.0/auto-allocated-topology/<project>: a network for whoever needs any, made when it is asked for the first time.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { checkText, Refusal } from "../../types/resources/values.ts";
import type { ApiPart } from "../api/api-part.ts";
import { queryOf } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { described } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import { AutoAllocatedTopologies } from "../services/auto-allocated-topology.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";

const path = "/v2.0/auto-allocated-topology/:project";
const dryRun = "dry-run";

export function autoAllocatedTopologyPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [],
    extensions: [
      extension(
        "auto-allocated-topology",
        "Topologies by themselves",
        "A network to the outside for a project that needs any.",
      ),
    ],
    register: (app) => registerRoutes(app, new AutoAllocatedTopologies(deps)),
  };
}

function registerRoutes(app: FastifyInstance, topologies: AutoAllocatedTopologies): void {
  app.get(
    path,
    described("Get the network of a project that was made by itself, and make it if there is none"),
    scoped(async (request, _reply, context) => {
      const owner = ownerOf(request, context);
      const { projectId } = owner;
      const id = isDryRun(request) ? await pass(topologies.check(owner)) : await topologies.provide(owner);
      return { auto_allocated_topology: { id, tenant_id: projectId, project_id: projectId } };
    }),
  );
  app.delete(
    path,
    described("Remove the network of a project that was made by itself, with its router", { status: 204 }),
    scoped(async (request, reply, context) => {
      await topologies.remove(ownerOf(request, context));
      return reply.code(204).send();
    }),
  );
}

async function pass(check: Promise<void>): Promise<string> {
  await check;
  return `${dryRun}=pass`;
}

/** `None` is what clients send that mean their own. */
function ownerOf(request: FastifyRequest, context: RequestContext): RequestContext {
  const { project } = request.params as { readonly project: string };
  const projectId = project === "None" ? context.projectId : checkText(project, { maxLength: 255, minLength: 1 });
  if (projectId instanceof Refusal) throw new ApiFault("HTTPNotFound", "The resource could not be found.");
  if (projectId === context.projectId) return context;
  if (!context.isAdmin) throw new ApiFault("NotAuthorized", "The topology of another project needs an administrator.");
  return { ...context, projectId };
}

function isDryRun(request: FastifyRequest): boolean {
  const fields = queryOf(request).getAll("fields");
  if (fields.includes(dryRun)) return true;
  if (fields.length > 0) throw new ApiFault("BadRequest", `Bad auto_allocate request: fields can only be ${dryRun}.`);
  return false;
}
