// A pool that goes from scope to scope while routers are joined to its subnets: in the end agents know what the database knows.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { PoolSite } from "../../helpers/pool-site.ts";
import { routerIn } from "../../helpers/raw-l3-agent.ts";
import { RealApi } from "../../helpers/real-api.ts";

const rounds = 4;

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  test("nobody is left with the scope that was", async () => {
    const server = await L3Site.start(await openFresh());
    sites.push(server);
    const pools = new PoolSite(new RealApi(server.rig.store, server.rig.parts.services));
    const scopes = [await pools.scope({}, {}), await pools.scope({}, {})];
    const pool = await pools.pool({ default_prefixlen: 28 }, {});
    const routers = await Promise.all(
      Array.from({ length: 3 }, (_, index) => pools.api.create("router", { name: `r${index}` })),
    );
    const { l3 } = await server.host("node-1");
    const from = l3.items.length;

    const move = async (): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await pools.change("subnetpool", pool.id, { address_scope_id: scopes[round % 2]?.id }, {});
      }
    };
    const join = async (routerId: string): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const subnet = await pools.subnet({ subnetpool_id: pool.id }, {});
        await server.site.add(routerId, { subnetId: subnet.id });
      }
    };
    await Promise.all([move(), ...routers.map(({ id }) => join(id))]);

    const last = scopes[(rounds - 1) % 2]?.id;
    for (const { id } of routers) {
      const { revision_number: revision } = await server.site.showRouter(id);
      const item = await l3.heard((one) => one.id === id && one.revision === revision, "the router as it is now", from);
      const known = routerIn(item).interfaces.flatMap((port) => port.addresses.map((address) => address.addressScopeId));
      assert.deepEqual(
        known,
        Array.from({ length: rounds }, () => last),
      );
    }
  });
});
