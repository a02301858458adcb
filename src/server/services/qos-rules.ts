// Use cases of the rules of QoS policies, one type at a time: those of one policy, or all that the caller sees by their own ids.
// A rule belongs to its policy: whoever may change that may change it, and it has that one's revision.
import { randomUUID } from "node:crypto";
import { type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { QosRuleKind } from "../../types/resources/qos-rules.ts";
import type { Trx } from "../store/database.ts";
import type { Condition, ListedTable } from "../store/list-rows.ts";
import { presentQosRule, type QosPolicyRow, type QosRuleRow } from "./qos-policy-rows.ts";
import {
  byId,
  type Attributes,
  type ListQuery,
  type RequestContext,
  type ResourceReader,
  type ResourceService,
} from "./resource-service.ts";
import { number, type ServiceDeps, text } from "./service-deps.ts";
import { visibleObjects } from "./sharing.ts";
import { touchRows } from "./standard-rows.ts";
import { StandardReader, type StandardService } from "./standard-service.ts";

export class QosRules implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #policies: StandardService<QosPolicyRow>;
  readonly #kind: QosRuleKind;
  readonly #policyId: string | undefined;
  readonly #reader: ResourceReader;

  /** @param policyId without it: of all policies */
  constructor(
    deps: ServiceDeps,
    policies: StandardService<QosPolicyRow>,
    { kind, policyId }: { readonly kind: QosRuleKind; readonly policyId?: string },
  ) {
    this.#deps = deps;
    this.#policies = policies;
    this.#kind = kind;
    this.#policyId = policyId;
    this.#reader = new StandardReader<QosRuleRow>(deps.store, {
      resource: kind.resource,
      listed: listedOf(kind),
      visible: (context) => ofPolicy(context, kind, policyId),
      present: async (_db, rows) => rows.map(presentQosRule),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    if (this.#policyId !== undefined) await this.#policies.show(context, this.#policyId);
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const [rule] = await this.list(context, byId(id));
    if (rule === undefined) throw this.#notFound(id);
    return rule;
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      const policy = await this.#policies.lockOwn(trx, context, { id: this.#policyId ?? "" });
      const rows: QosRuleRow[] = [];
      for (const body of bodies) {
        const row = ruleRow(this.#kind, body, { id: randomUUID(), qos_policy_id: policy.id });
        await checkAgainstOthers(trx, row);
        await trx.insertInto("qos_rules").values(row).execute();
        rows.push(row);
      }
      await this.#touch(trx, policy.id);
      return rows.map(presentQosRule);
    });
  }

  async update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const before = await this.#lock(trx, context, id);
      const row = ruleRow(this.#kind, { ...presentQosRule(before), ...changes }, before);
      if (JSON.stringify(row) === JSON.stringify(before)) return presentQosRule(before);
      await checkAgainstOthers(trx, row);
      await trx.updateTable("qos_rules").set(row).where("id", "=", id).execute();
      await this.#touch(trx, row.qos_policy_id);
      return presentQosRule(row);
    });
  }

  async remove(context: RequestContext, id: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const row = await this.#lock(trx, context, id);
      await trx.deleteFrom("qos_rules").where("id", "=", id).execute();
      await this.#touch(trx, row.qos_policy_id);
    });
  }

  /** With its policy, which is locked first. */
  async #lock(trx: Trx, context: RequestContext, id: string): Promise<QosRuleRow> {
    const find = () =>
      trx
        .selectFrom("qos_rules")
        .selectAll()
        .where("id", "=", id)
        .where("type", "=", this.#kind.type)
        .where(ofPolicy(context, this.#kind, this.#policyId))
        .executeTakeFirst();
    const seen = await find();
    const policyId = this.#policyId ?? seen?.qos_policy_id;
    if (policyId === undefined) throw this.#notFound(id);
    await this.#policies.lockOwn(trx, context, { id: policyId });
    const row = await find();
    if (row === undefined) throw this.#notFound(id);
    return row;
  }

  async #touch(trx: Trx, policyId: string): Promise<void> {
    await touchRows(trx, this.#deps, { table: "qos_policies", ids: [policyId] });
  }

  #notFound(id: string): ApiFault {
    const ofWhich = this.#policyId === undefined ? "" : ` for policy ${this.#policyId}`;
    return new ApiFault("QosRuleNotFound", `QoS rule ${id}${ofWhich} could not be found.`);
  }
}

function listedOf({ value, burst, hasDirection }: QosRuleKind): ListedTable {
  return {
    table: "qos_rules",
    columns: {
      id: "id",
      [value]: "value",
      ...(burst === undefined ? {} : { [burst]: "burst" }),
      ...(hasDirection ? { direction: "direction" } : {}),
    },
    filters: {},
  };
}

function ofPolicy(context: RequestContext, { type }: QosRuleKind, policyId: string | undefined): Condition {
  const isOfType = sql<SqlBool>`type = ${type}`;
  if (policyId !== undefined) return sql<SqlBool>`(${isOfType} and qos_policy_id = ${policyId})`;
  const visible = visibleObjects(context, "qos_policy");
  if (visible === undefined) return isOfType;
  return sql<SqlBool>`(${isOfType} and qos_policy_id in (select id from qos_policies where ${visible}))`;
}

function ruleRow(
  kind: QosRuleKind,
  body: Attributes,
  { id, qos_policy_id }: Pick<QosRuleRow, "id" | "qos_policy_id">,
): QosRuleRow {
  return {
    id,
    qos_policy_id,
    type: kind.type,
    direction: kind.hasDirection ? (text(body["direction"]) ?? "egress") : "",
    value: number(body[kind.value]) ?? 0,
    burst: kind.burst === undefined ? 0 : (number(body[kind.burst]) ?? 0),
  };
}

/** One rule of a type and direction, or one of both; and nobody promises more than it allows. */
async function checkAgainstOthers(trx: Trx, row: QosRuleRow): Promise<void> {
  const others = await trx
    .selectFrom("qos_rules")
    .selectAll()
    .where("qos_policy_id", "=", row.qos_policy_id)
    .where("id", "!=", row.id)
    .execute();
  const alike = others.filter((other) => other.direction === row.direction);
  const same = alike.find((other) => other.type === row.type);
  if (same !== undefined) {
    throw new ApiFault(
      "QoSRulesConflict",
      `Rule ${row.type} conflicts with rule ${same.id} which already exists in QoS Policy ${row.qos_policy_id}.`,
    );
  }
  const mixed = others.find((other) => other.type === row.type && (other.direction === "any" || row.direction === "any"));
  if (mixed !== undefined) {
    throw new ApiFault(
      "QoSRuleParameterConflict",
      `Unable to add the rule with value ${row.direction} to the policy ${row.qos_policy_id} as the existing rule of type ${mixed.type} has the direction ${mixed.direction}.`,
    );
  }
  const contrary = alike.find((other) => exceeds(row, other) || exceeds(other, row));
  if (contrary === undefined) return;
  throw new ApiFault(
    "QoSRuleParameterConflict",
    `Unable to add the rule with value ${row.value} to the policy ${row.qos_policy_id} as the existing rule of type ${contrary.type} restricts the bandwidth to ${contrary.value}.`,
  );
}

const exceeds = (minimum: QosRuleRow, limit: QosRuleRow): boolean =>
  minimum.type === "minimum_bandwidth" && limit.type === "bandwidth_limit" && minimum.value > limit.value;
