// Sharing that ends while somebody begins to use what is shared. Only PostgreSQL has two writers at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sql } from "kysely";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type Answer, faultOf } from "../../helpers/fake-api.ts";
import { RealApi } from "../../helpers/real-api.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const blue = { "x-project-id": "b".repeat(32) };
const red = { "x-project-id": "e".repeat(32) };

interface Shared {
  readonly type: string;
  readonly table: "security_groups" | "qos_policies" | "subnet_pools" | "address_scopes" | "address_groups";
  readonly id: string;
}

/** As the API ends it, but for the commit, which waits until `work` waits for it. */
async function whileSharingEnds(api: RealApi, { type, table, id }: Shared, work: () => Promise<Answer>): Promise<Answer> {
  const target_project = red["x-project-id"];
  const body = { object_type: type, object_id: id, action: "access_as_shared", target_project };
  const policy = await api.create("rbac_policy", body, blue, "rbac-policies");
  const { db } = api.store;
  return db
    .transaction()
    .execute(async (trx) => {
      await trx.selectFrom(table).select("id").where("id", "=", id).forUpdate().execute();
      await trx.deleteFrom("rbac_policies").where("id", "=", policy.id).execute();
      await sql`update ${sql.table(table)} set revision_number = revision_number + 1 where id = ${id}`.execute(trx);
      const answer = work();
      const waiting = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await waitFor(async () => (await waiting.execute(db)).rows.length > 0, { limitMs: 20_000, what: "somebody who waits" });
      return { answer };
    })
    .then(({ answer }) => answer);
}

forEachDatabase((engine, openFresh) => {
  if (engine !== "postgres") return;
  test("what is not shared any more is not used, however close it was", async () => {
    const api = new RealApi(await openFresh());
    const post = (path: string, body: object): Promise<Answer> =>
      api.ask(`/v2.0/${path}`, { method: "POST", headers: red, body });
    const network = await api.create("network", {}, red);
    const own = await api.create("security_group", { name: "own" }, red, "security-groups");
    const group = await api.create("security_group", { name: "g" }, blue, "security-groups");
    const block = await api.create("address_group", { name: "a", addresses: ["10.0.0.0/8"] }, blue, "address-groups");
    const policy = await api.create("policy", { name: "p" }, blue, "qos/policies");
    const pool = await api.create("subnetpool", { name: "s", prefixes: ["10.0.0.0/8"], default_prefixlen: 24 }, blue);
    const scope = await api.create("address_scope", { name: "s", ip_version: 4 }, blue, "address-scopes");
    const rule = { security_group_id: own.id, direction: "ingress" };
    const cases = [
      [
        "security_group",
        "security_groups",
        group.id,
        "ports",
        { port: { network_id: network.id, security_groups: [group.id] } },
      ],
      [
        "security_group",
        "security_groups",
        group.id,
        "security-group-rules",
        { security_group_rule: { ...rule, remote_group_id: group.id } },
      ],
      [
        "address_group",
        "address_groups",
        block.id,
        "security-group-rules",
        { security_group_rule: { ...rule, remote_address_group_id: block.id } },
      ],
      ["qos_policy", "qos_policies", policy.id, "networks", { network: { qos_policy_id: policy.id } }],
      [
        "subnetpool",
        "subnet_pools",
        pool.id,
        "subnets",
        { subnet: { network_id: network.id, ip_version: 4, subnetpool_id: pool.id } },
      ],
      [
        "address_scope",
        "address_scopes",
        scope.id,
        "subnetpools",
        { subnetpool: { name: "x", prefixes: ["192.0.2.0/24"], address_scope_id: scope.id } },
      ],
    ] as const;
    for (const [type, table, id, path, body] of cases) {
      const answer = await whileSharingEnds(api, { type, table, id }, () => post(path, body));
      assert.equal(answer.status, 404, `${path}: ${answer.text}`);
      assert.match(faultOf(answer).type, /NotFound$/);
    }
  });

  test("a pool is not shared with whom its address scope is not shared with any more", async () => {
    const api = new RealApi(await openFresh());
    const scope = await api.create("address_scope", { name: "s", ip_version: 4 }, blue, "address-scopes");
    const pool = await api.create("subnetpool", { name: "p", prefixes: ["10.0.0.0/8"], address_scope_id: scope.id }, blue);
    const target_project = red["x-project-id"];
    const policy = { object_type: "subnetpool", object_id: pool.id, action: "access_as_shared", target_project };
    const post = { method: "POST", headers: blue, body: { rbac_policy: policy } } as const;
    const ending = { type: "address_scope", table: "address_scopes", id: scope.id } as const;
    const answer = await whileSharingEnds(api, ending, () => api.ask("/v2.0/rbac-policies", post));
    assert.equal(faultOf(answer).type, "InvalidInput");
  });

  test("a network that is external no more is no way out, however close it was", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { "router:external": true });
    const [policy] = await api.list("rbac-policies", `?object_id=${network.id}`, {}, "rbac_policies");
    const outcomes = await Promise.all([
      api.ask(`/v2.0/rbac-policies/${policy?.id}`, { method: "DELETE" }),
      ...Array.from({ length: 6 }, () => {
        const router = { external_gateway_info: { network_id: network.id } };
        return api.ask("/v2.0/routers", { method: "POST", headers: red, body: { router } });
      }),
    ]);
    const [ended, ...made] = outcomes.map(({ status }) => status);
    const [after] = await api.list("networks");
    assert.equal(after?.["router:external"], ended === 409);
    assert.equal(made.includes(201), ended === 409);
  });
});
