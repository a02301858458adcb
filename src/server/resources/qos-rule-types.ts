// Types of QoS rules. A client asks for them to know what will be applied, so the list without a word about it is empty.
import type { FastifyInstance } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { qosRuleTypeResource } from "../../types/resources/qos-rule-types.ts";
import { qosRuleTypes } from "../../types/resources/qos-rules.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { listInMemory } from "../services/list-in-memory.ts";
import type { ListQuery, ResourceReader } from "../services/resource-service.ts";
import { missing } from "../services/service-deps.ts";

const types = qosRuleTypes.map((type) => ({ id: type, type, drivers: [] }));

const reader: ResourceReader = {
  async list(_context, query) {
    const wantsAll = valueOf(query, "all_rules") === true;
    if (wantsAll && valueOf(query, "all_supported") === true) {
      throw new ApiFault("BadRequest", "Only one of the filters all_rules and all_supported can be true.");
    }
    const filters = query.filters.filter(({ attribute }) => attribute === "type");
    return listInMemory(wantsAll ? types : [], { ...query, filters }, qosRuleTypeResource);
  },
  async show(_context, type) {
    const found = types.find((each) => each.type === type);
    if (found === undefined) throw missing(qosRuleTypeResource, type);
    return found;
  },
};

const valueOf = ({ filters }: ListQuery, name: string): unknown =>
  filters.find(({ attribute }) => attribute === name)?.values.at(-1);

export function registerQosRuleTypes(app: FastifyInstance): void {
  registerCollection(app, qosRuleTypeResource, reader);
}
