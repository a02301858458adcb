// The resources that stand by themselves: one line each.
import type { ApiPart } from "./api/api-part.ts";
import { addressScopePart } from "./resources/address-scopes.ts";
import { subnetPoolPart } from "./resources/subnet-pools.ts";
import { tagPart } from "./resources/tags.ts";
import type { ServiceDeps } from "./services/service-deps.ts";

export function composeResources(deps: ServiceDeps): readonly ApiPart[] {
  return [addressScopePart(deps), subnetPoolPart(deps), tagPart(deps)];
}
