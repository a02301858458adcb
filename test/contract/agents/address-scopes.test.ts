// Address scopes from the API to the agents: which addresses of a router are in which scope.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Router } from "../../../src/model/router.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { PoolSite } from "../../helpers/pool-site.ts";
import { routerIn } from "../../helpers/raw-l3-agent.ts";
import { RealApi } from "../../helpers/real-api.ts";

const scopesOf = ({ gateway, interfaces }: Router): readonly unknown[] =>
  [gateway, ...interfaces].map((port) => port?.addresses.map((address) => address.addressScopeId));

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  test("an agent knows the scope of each address, and hears when it becomes another one", async () => {
    const server = await L3Site.start(await openFresh());
    sites.push(server);
    const { services } = server.rig.parts;
    const pools = new PoolSite(new RealApi(server.rig.store, services));
    const [ours, theirs] = [await pools.scope({}, {}), await pools.scope({}, {})];
    const office = await pools.pool({ prefixes: ["203.0.113.0/24"], address_scope_id: ours.id, default_prefixlen: 25 }, {});
    const lab = await pools.pool({ default_prefixlen: 24 }, {});
    const outside = await pools.api.create("network", { "router:external": true });
    await pools.subnet({ network_id: outside.id, subnetpool_id: office.id, enable_dhcp: false }, {});
    const inside = await pools.api.create("network", {});
    const inner = await pools.subnet({ network_id: inside.id, subnetpool_id: lab.id }, {});
    const plain = await pools.subnet({ cidr: "192.168.0.0/24" }, {});
    const router = await pools.api.create("router", { external_gateway_info: { network_id: outside.id } });
    await server.site.add(router.id, { subnetId: inner.id });
    const { l3 } = await server.host("node-1");

    assert.deepEqual(scopesOf(routerIn((await l3.snapshot())[0])), [[ours.id], [null]]);
    /** As the agent is told the router after what `work` does; what came before it may still be under way. */
    const nextScopes = async (work: () => Promise<unknown>): Promise<readonly unknown[]> => {
      await work();
      const { revision_number: revision } = await server.site.showRouter(router.id);
      return scopesOf(routerIn(await l3.heard((item) => item.revision === revision, "the router as it is now")));
    };
    const into = (scope: string | null) => pools.change("subnetpool", lab.id, { address_scope_id: scope }, {});
    assert.deepEqual(await nextScopes(() => into(ours.id)), [[ours.id], [ours.id]]);
    assert.deepEqual(await nextScopes(() => into(theirs.id)), [[ours.id], [theirs.id]]);
    assert.deepEqual(await nextScopes(() => into(null)), [[ours.id], [null]]);

    const third = await nextScopes(() => server.site.add(router.id, { subnetId: plain.id }));
    assert.deepEqual(third, [[ours.id], [null], [null]]);
    const onboard = { network_id: plain["network_id"] };
    const taken = await nextScopes(() => pools.act(office.id, "onboard_network_subnets", onboard, {}));
    assert.deepEqual(taken[0], [ours.id]);
    assert.deepEqual(new Set(taken.slice(1).flat()), new Set([ours.id, null]));
  });
});
