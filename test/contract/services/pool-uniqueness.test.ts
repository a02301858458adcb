// No block of a subnet pool is given twice, and no project has more of it than its quota, whoever asks at the same time.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "../../../src/base/logger.ts";
import { type Cidr, overlap, parseCidr } from "../../../src/model/addresses.ts";
import { coversRange } from "../../../src/model/prefixes.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { newPoolRow } from "../../../src/server/services/subnet-pool-rules.ts";
import { ApiFault, type FaultType } from "../../../src/types/api-faults.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { admin, createOne, idOf, member, servicesOn, type TestServices } from "../../helpers/network-services.ts";

type Step =
  | { readonly kind: "any"; readonly length: number }
  | { readonly kind: "named"; readonly at: number; readonly length: number }
  | { readonly kind: "delete"; readonly pick: number };

const length = fc.integer({ min: 26, max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("any" as const), length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("named" as const), at: fc.integer({ min: 0, max: 255 }), length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), pick: fc.nat() }) },
);

const clients = 16;
const projects = ["blue", "red", "green"] as const;
/** Addresses. */
const quota = 96;
const prefix = "10.0.0.0/24";
const expected = new Set<FaultType>(["SubnetAllocationError", "SubnetPoolQuotaExceeded"]);

/** What may happen when several want the last blocks; everything else is a bug. */
function forgive(thrown: unknown): void {
  if (!(thrown instanceof ApiFault && expected.has(thrown.type))) throw thrown;
}

async function addPool(store: Store, body: object = {}): Promise<string> {
  const row = newPoolRow(admin, { name: "pool", prefixes: [prefix], ...body }, "2026-01-01T00:00:00Z");
  await store.db.insertInto("subnet_pools").values(row).execute();
  await store.db
    .insertInto("rbac_policies")
    .values({
      id: row.id,
      project_id: "",
      object_type: "subnetpool",
      object_id: row.id,
      action: "access_as_shared",
      target_project: "*",
    })
    .execute();
  return row.id;
}

interface Client {
  readonly services: TestServices;
  readonly project: string;
  readonly networkId: string;
}

async function addClient(services: TestServices, index: number): Promise<Client> {
  const project = projects[index % projects.length] ?? "blue";
  const networkId = idOf(await createOne(services.networks, {}, member(project)));
  return { services, project, networkId };
}

async function work({ services, project, networkId }: Client, poolId: string, steps: readonly Step[]): Promise<void> {
  const made: string[] = [];
  for (const one of steps) {
    if (one.kind === "delete") {
      const [id] = made.splice(one.pick % Math.max(made.length, 1), 1);
      if (id !== undefined) await services.subnets.remove(member(project), id);
      continue;
    }
    const block = one.kind === "any" ? { prefixlen: one.length } : { cidr: `10.0.0.${one.at}/${one.length}` };
    const body = { network_id: networkId, ip_version: 4, subnetpool_id: poolId, enable_dhcp: false, ...block };
    await createOne(services.subnets, body, member(project)).then((subnet) => made.push(idOf(subnet)), forgive);
  }
}

/** Every block inside the pool and apart from all others, no project above the limit. */
async function checkBlocks(store: Store, poolId: string, limit: number): Promise<readonly Cidr[]> {
  const rows = await store.db
    .selectFrom("subnets")
    .select(["cidr", "project_id"])
    .where("subnetpool_id", "=", poolId)
    .execute();
  const blocks = rows.map((row) => parseCidr(row.cidr) ?? assert.fail(row.cidr));
  const whole = parseCidr(prefix) ?? assert.fail(prefix);
  for (const [index, block] of blocks.entries()) {
    assert.ok(coversRange([whole], block), rows[index]?.cidr);
    for (const other of blocks.slice(index + 1)) assert.ok(!overlap(block, other), `${rows[index]?.cidr} is given twice`);
  }
  for (const project of projects) {
    const own = blocks.filter((_, index) => rows[index]?.project_id === project);
    assert.ok(own.reduce((sum, { first, last }) => sum + Number(last - first) + 1, 0) <= limit, `${project} is over quota`);
  }
  return blocks;
}

forEachDatabase((name, openFresh, freshUrl) => {
  test("whatever 16 clients take and give back at the same time", async () => {
    const store = await openFresh();
    const services = servicesOn(store);
    const crowd = await Promise.all(Array.from({ length: clients }, (_, index) => addClient(services, index)));
    const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: clients, maxLength: clients });

    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const poolId = await addPool(store, { default_quota: quota });

        await Promise.all(crowd.map((client, index) => work(client, poolId, history[index] ?? [])));

        await checkBlocks(store, poolId, quota);
        await store.db.deleteFrom("subnets").execute();
      }),
      { numRuns: 6 },
    );
  });

  test("servers of one database fill a pool to the last block and no further", async () => {
    const url = await freshUrl();
    const stores = await Promise.all([openStore(url, silentLogger), openStore(url, silentLogger)]);
    try {
      const [first] = stores;
      const poolId = await addPool(first);
      const crowd = await Promise.all(
        Array.from({ length: clients }, async (_, index) => addClient(servicesOn(stores[index % 2] ?? first), index)),
      );
      const steps = Array.from({ length: 3 }, () => ({ kind: "any", length: 27 }) as const);

      await Promise.all(crowd.map((client) => work(client, poolId, steps)));

      assert.equal((await checkBlocks(first, poolId, 256)).length, 8, name);
    } finally {
      await Promise.all(stores.map((store) => store.close()));
    }
  });
});
