// Where clients look first: versions, resources, extensions.
import type { FastifyInstance } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { pathOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import { quoted } from "../../types/resources/values.ts";
import type { Extension } from "./extensions.ts";
import { selfLink } from "./links.ts";
import { described, someObjects } from "./operation.ts";
import { scoped } from "./request-scope.ts";

export function registerDiscovery(
  app: FastifyInstance,
  { resources, extensions }: { readonly resources: readonly ResourceDeclaration[]; readonly extensions: readonly Extension[] },
): void {
  app.get(
    "/",
    // Clients look here before they have a token.
    { config: { access: "everybody", operation: { summary: "Which versions of the API there are" } } },
    scoped(async (request) => ({
      versions: [{ id: "v2.0", status: "CURRENT", links: [selfLink(request, "/v2.0/")] }],
    })),
  );
  app.get(
    "/v2.0",
    described("List the resources", { answer: someObjects("resources") }),
    scoped(async (request) => ({
      resources: resources.map((resource) => ({
        name: resource.name,
        collection: resource.collection,
        links: [selfLink(request, `/v2.0/${pathOf(resource)}`)],
      })),
    })),
  );
  const config = { otherVerbsAreUnknown: true } as const;
  app.get(
    "/v2.0/extensions",
    { config: { ...config, operation: { summary: "List what clients may count on", answer: someObjects("extensions") } } },
    scoped(async () => ({ extensions })),
  );
  app.get(
    "/v2.0/extensions/:alias",
    { config: { ...config, operation: { summary: "Show an extension" } } },
    scoped(async (request) => {
      const { alias } = request.params as { readonly alias: string };
      const extension = extensions.find((candidate) => candidate.alias === alias);
      if (extension === undefined) throw new ApiFault("ExtensionsNotFound", `Extensions not found: ${quoted(alias)}.`);
      return { extension };
    }),
  );
}
