// Where clients look first: versions, resources, extensions.
import type { FastifyInstance } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { quoted } from "../../types/resources/values.ts";
import { extensions } from "./extensions.ts";
import { selfLink } from "./links.ts";
import { scoped } from "./request-scope.ts";

export function registerDiscovery(app: FastifyInstance, resources: readonly ResourceDeclaration[]): void {
  app.get(
    "/",
    scoped(async (request) => ({
      versions: [{ id: "v2.0", status: "CURRENT", links: [selfLink(request, "/v2.0/")] }],
    })),
  );
  app.get(
    "/v2.0",
    scoped(async (request) => ({
      resources: resources.map(({ name, collection }) => ({
        name,
        collection,
        links: [selfLink(request, `/v2.0/${collection}`)],
      })),
    })),
  );
  const config = { otherVerbsAreUnknown: true } as const;
  app.get(
    "/v2.0/extensions",
    { config },
    scoped(async () => ({ extensions })),
  );
  app.get(
    "/v2.0/extensions/:alias",
    { config },
    scoped(async (request) => {
      const { alias } = request.params as { readonly alias: string };
      const extension = extensions.find((candidate) => candidate.alias === alias);
      if (extension === undefined) throw new ApiFault("ExtensionsNotFound", `Extensions not found: ${quoted(alias)}.`);
      return { extension };
    }),
  );
}
