// Rules of QoS policies: a collection of each type inside each policy, and one of each type that needs only the rule's id.
import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, ownership } from "./standard-attributes.ts";
import { converted, integer, oneOf, quoted, Refusal, toInteger, uuid } from "./values.ts";

export const qosRuleTypes = [
  "bandwidth_limit",
  "packet_rate_limit",
  "minimum_bandwidth",
  "minimum_packet_rate",
  "dscp_marking",
] as const;
export type QosRuleType = (typeof qosRuleTypes)[number];

export interface QosRuleKind {
  readonly type: QosRuleType;
  /** Attribute that says how much. */
  readonly value: string;
  readonly burst?: string;
  readonly hasDirection: boolean;
  readonly resource: ResourceDeclaration;
  /** The same rules by their own ids. */
  readonly aliased: ResourceDeclaration;
}

/** Code points that somebody has given a meaning. */
const dscpMarks = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];

const dscpMark = converted({ type: "integer", enum: dscpMarks }, (value) => {
  const mark = toInteger(value);
  if (mark instanceof Refusal || dscpMarks.includes(mark)) return mark;
  return new Refusal(`${quoted(value)} is not in [${dscpMarks.join(", ")}].`);
});

const amount = integer(0);

function numeric(alias: string, description: string): AttributeDeclaration {
  return { ...access.settable, schema: amount, filter: "integer", sort: true, alias, description };
}

const direction = (alias: string): AttributeDeclaration => ({
  ...access.settable,
  schema: oneOf(["egress", "ingress"]),
  default: "egress",
  filter: "text",
  sort: true,
  alias,
  description: "egress (from the instance) or ingress (to it).",
});

const id: AttributeDeclaration = {
  ...access.computed,
  schema: uuid,
  filter: "uuid",
  sort: true,
  alias: "qos",
  description: "UUID, given by the server.",
};

/** Clients send it, though rules are always their policy's. */
const unseen = { post: true, put: false, visible: false, alias: "qos", description: "Always that of the policy." } as const;
const project: Readonly<Record<string, AttributeDeclaration>> = {
  project_id: { ...unseen, schema: ownership.project_id.schema },
  tenant_id: { ...unseen, schema: ownership.tenant_id.schema, aliasOf: "project_id" },
};

interface Words {
  readonly type: QosRuleType;
  readonly title: string;
  readonly alias: string;
  readonly attributes: Readonly<Record<string, AttributeDeclaration>>;
}

function kind({ type, title, alias, attributes }: Words, names: Pick<QosRuleKind, "value" | "burst">): QosRuleKind {
  const name = `${type}_rule`;
  const resource: ResourceDeclaration = {
    name,
    collection: `${name}s`,
    title,
    alias,
    notFound: "QosRuleNotFound",
    description: `A ${title.replace(/^QoS /, "")} of a QoS policy; kept and not applied.`,
    canCreate: true,
    canUpdate: true,
    canDelete: true,
    bulk: true,
    attributes: { id, ...project, ...attributes },
  };
  const aliased: ResourceDeclaration = {
    ...resource,
    name: `alias_${name}`,
    collection: `alias_${name}s`,
    path: `qos/alias-${name.replaceAll("_", "-")}s`,
    alias: "qos-rules-alias",
    canCreate: false,
    bulk: false,
    attributes: { id, ...attributes },
  };
  return { type, ...names, hasDirection: "direction" in attributes, resource, aliased };
}

export const qosRuleKinds: readonly QosRuleKind[] = [
  kind(
    {
      type: "bandwidth_limit",
      title: "QoS bandwidth limit",
      alias: "qos",
      attributes: {
        max_kbps: { ...numeric("qos", "At most so many kilobits per second."), required: true },
        max_burst_kbps: { ...numeric("qos", "So many kilobits more at once."), default: 0 },
        direction: direction("qos-bw-limit-direction"),
      },
    },
    { value: "max_kbps", burst: "max_burst_kbps" },
  ),
  kind(
    {
      type: "packet_rate_limit",
      title: "QoS packet rate limit",
      alias: "qos-pps",
      attributes: {
        max_kpps: { ...numeric("qos-pps", "At most so many thousand packets per second."), required: true },
        max_burst_kpps: { ...numeric("qos-pps", "So many thousand packets more at once."), default: 0 },
        direction: direction("qos-pps"),
      },
    },
    { value: "max_kpps", burst: "max_burst_kpps" },
  ),
  kind(
    {
      type: "minimum_bandwidth",
      title: "QoS minimum bandwidth",
      alias: "qos",
      attributes: {
        min_kbps: { ...numeric("qos", "At least so many kilobits per second."), required: true },
        direction: direction("qos-bw-minimum-ingress"),
      },
    },
    { value: "min_kbps" },
  ),
  kind(
    {
      type: "minimum_packet_rate",
      title: "QoS minimum packet rate",
      alias: "qos-pps-minimum",
      attributes: {
        min_kpps: { ...numeric("qos-pps-minimum", "At least so many thousand packets per second."), required: true },
        direction: {
          ...direction("qos-pps-minimum"),
          schema: oneOf(["any", "egress", "ingress"]),
          description: "egress (from the instance), ingress (to it), or any: both together.",
        },
      },
    },
    { value: "min_kpps" },
  ),
  kind(
    {
      type: "dscp_marking",
      title: "QoS DSCP mark",
      alias: "qos",
      attributes: { dscp_mark: { ...numeric("qos", "Code point of packets."), schema: dscpMark, required: true } },
    },
    { value: "dscp_mark" },
  ),
];
