// RBAC policies over HTTP.
import { rbacPolicyResource } from "../../types/resources/rbac-policies.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { RbacPolicies } from "../services/rbac-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";

export function rbacPolicyPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [rbacPolicyResource],
    extensions: [
      extension("rbac-policies", "RBAC policies", "Networks that single projects may use, or have as their way out."),
      extension("rbac-address-scope", "RBAC policies of address scopes", "Address scopes that single projects may use."),
      extension("rbac-subnetpool", "RBAC policies of subnet pools", "Subnet pools that single projects may use."),
      extension("rbac-security-groups", "RBAC policies of security groups", "Security groups that single projects may use."),
      extension("rbac-address-group", "RBAC policies of address groups", "Address groups that single projects may use."),
    ],
    register: (app) => registerCollection(app, rbacPolicyResource, new RbacPolicies(deps)),
  };
}
