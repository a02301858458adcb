// What a group of resources brings to the API: createApi need not know them by name.
import type { FastifyInstance } from "fastify";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { Extension } from "./extensions.ts";

export interface ApiPart {
  /** Top-level collections, for the list of resources. */
  readonly resources: readonly ResourceDeclaration[];
  /** Aliases that clients branch on: only of what works. */
  readonly extensions: readonly Extension[];
  readonly register: (app: FastifyInstance) => void;
}
