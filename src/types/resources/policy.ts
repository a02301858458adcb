// Who may what with single attributes, as the declarations say it. Pure: what is asked of it costs no look at the database.
import type { Allowed, AttributeDeclaration, AttributeRule, ResourceDeclaration } from "./declaration.ts";

export type PolicyAction = AttributeRule["on"][number];

/** What of a caller counts. */
export interface Caller {
  readonly isAdmin: boolean;
  readonly isService?: boolean;
  readonly isManager?: boolean;
}

/** What a caller is to the network that an object is on. */
export interface NetworkStanding {
  readonly ownsNetwork: boolean;
  readonly isGuest: boolean;
}

/** `adminOnly` is one that allows nobody. */
export function rulesOf(attribute: AttributeDeclaration, action: PolicyAction): readonly AttributeRule[] {
  const rules = (attribute.rules ?? []).filter((rule) => rule.on.includes(action));
  return attribute.adminOnly?.[action] === true ? [...rules, { on: [action], allow: [] }] : rules;
}

/** Needs no object: rules about seeing are about the caller alone. */
export function maySee(attribute: AttributeDeclaration, caller: Caller): boolean {
  return caller.isAdmin || rulesOf(attribute, "read").every((rule) => allowsCaller(rule, caller));
}

export interface Wish {
  readonly resource: ResourceDeclaration;
  readonly attribute: AttributeDeclaration;
  /** Parsed. */
  readonly value: unknown;
  readonly action: "create" | "update";
}

/** The rule that a wish breaks, as far as the caller alone tells; what depends on the network is left to the service. */
export function brokenByCaller({ resource, attribute, value, action }: Wish, caller: Caller): AttributeRule | undefined {
  if (caller.isAdmin) return undefined;
  return rulesOf(attribute, action).find(
    (rule) => concerns(rule, value) && !allowsCaller(rule, caller) && !(resource.judgesNetworkRules && asksNetwork(rule)),
  );
}

/** The rest: the rule that it breaks on a network to which the caller is this. */
export function brokenOnNetwork(
  { attribute, value, action }: Omit<Wish, "resource">,
  caller: Caller,
  standing: NetworkStanding,
): AttributeRule | undefined {
  if (caller.isAdmin) return undefined;
  return rulesOf(attribute, action).find(
    (rule) => concerns(rule, value) && !allowsCaller(rule, caller) && !allowsOn(rule, standing),
  );
}

const concerns = ({ when }: AttributeRule, value: unknown): boolean => when === undefined || when(value);

const networkKinds: readonly Allowed[] = ["network-owner", "network-guest"];

const asksNetwork = ({ allow }: AttributeRule): boolean => allow.some((kind) => networkKinds.includes(kind));

function allowsCaller({ allow }: AttributeRule, { isService, isManager }: Caller): boolean {
  return (isService === true && allow.includes("service")) || (isManager === true && allow.includes("manager"));
}

function allowsOn({ allow }: AttributeRule, { ownsNetwork, isGuest }: NetworkStanding): boolean {
  return (ownsNetwork && allow.includes("network-owner")) || (isGuest && allow.includes("network-guest"));
}
