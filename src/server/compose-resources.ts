// The resources that stand by themselves: one line each.
import type { ApiPart } from "./api/api-part.ts";
import { addressGroupPart } from "./resources/address-groups.ts";
import { addressScopePart } from "./resources/address-scopes.ts";
import { autoAllocatedTopologyPart } from "./resources/auto-allocated-topologies.ts";
import { conntrackHelperPart } from "./resources/conntrack-helpers.ts";
import { defaultSecurityGroupRulePart } from "./resources/default-security-group-rules.ts";
import { networkSegmentRangePart } from "./resources/network-segment-ranges.ts";
import { portBindingPart } from "./resources/port-bindings.ts";
import { qosPart } from "./resources/qos-policies.ts";
import { securityGroupRulePart } from "./resources/security-group-rules.ts";
import { securityGroupStatefulnessPart } from "./resources/security-group-statefulness.ts";
import { securityGroupPart } from "./resources/security-groups.ts";
import { readOnlyPart } from "./resources/read-only.ts";
import { segmentPart } from "./resources/segments.ts";
import { quotaPart } from "./resources/quotas.ts";
import { rbacPolicyPart } from "./resources/rbac-policies.ts";
import { subnetPoolPart } from "./resources/subnet-pools.ts";
import { tagPart } from "./resources/tags.ts";
import { trunkPart } from "./resources/trunks.ts";
import type { ServiceDeps } from "./services/service-deps.ts";

const securityGroupParts = (deps: ServiceDeps): readonly ApiPart[] => [
  securityGroupPart(deps),
  securityGroupRulePart(deps),
  defaultSecurityGroupRulePart(deps),
  securityGroupStatefulnessPart(deps),
  addressGroupPart(deps),
];

const networkParts = (deps: ServiceDeps): readonly ApiPart[] => [
  segmentPart(deps),
  networkSegmentRangePart(deps),
  readOnlyPart(deps),
  autoAllocatedTopologyPart(deps),
];

export function composeResources(deps: ServiceDeps): readonly ApiPart[] {
  return [
    ...securityGroupParts(deps),
    ...networkParts(deps),
    qosPart(deps),
    trunkPart(deps),
    portBindingPart(deps),
    conntrackHelperPart(deps),
    addressScopePart(deps),
    subnetPoolPart(deps),
    quotaPart(deps),
    rbacPolicyPart(deps),
    tagPart(deps),
  ];
}
