// Two hosts report of one router: whose word counts, and that whoever is to speak next is made to speak.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type L3Host, L3Site } from "../../helpers/l3-site.ts";
import { admin } from "../../helpers/network-services.ts";
import { waitFor } from "../../helpers/wait-for.ts";

type Report = { readonly status: string; readonly reason?: string };
const works: Report = { status: "ACTIVE" };
const fails = (reason: string): Report => ({ status: "ERROR", reason });

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  /** A router of high availability with a floating IP, on two hosts that say nothing by themselves. */
  async function setUp() {
    const store = await openFresh();
    const server = await L3Site.start(store);
    sites.push(server);
    const [one, two] = [await server.host("node-1"), await server.host("node-2")];
    const { routerId, floatingIpId, ...served } = await server.served({ ha: true });
    assert.deepEqual(await server.hostsOf(routerId), ["node-1", "node-2"]);

    const newest = (host: L3Host) => ({
      router: host.l3.items.findLast((item) => item.id === routerId),
      floatingIp: host.fip.items.findLast((item) => item.id === floatingIpId),
    });
    /** What counts from which revision on only the server knows. */
    const countsFrom = async (table: "routers" | "floating_ips", id: string): Promise<number> =>
      (await store.db.selectFrom(table).select("status_from_revision").where("id", "=", id).executeTakeFirstOrThrow())
        .status_from_revision;
    const hears = async (host: L3Host): Promise<void> => {
      const [router, floatingIp] = [await countsFrom("routers", routerId), await countsFrom("floating_ips", floatingIpId)];
      const isNew = (): boolean => {
        const heard = newest(host);
        return Number(heard.router?.revision) >= router && Number(heard.floatingIp?.revision) >= floatingIp;
      };
      await waitFor(isNew, { limitMs: 10_000, what: `${host.l3.host} to hear what it may speak of` });
    };
    /** Of the newest that the host was told, as its agents do. */
    const say = async (host: L3Host, report: Report): Promise<void> => {
      const { router, floatingIp } = newest(host);
      await host.l3.report({ routers: [{ id: routerId, revision: router?.revision, ...report }] });
      await host.fip.report({ floatingIps: [{ id: floatingIpId, revision: floatingIp?.revision, ...report }] });
    };
    const become = (host: L3Host, state: string): Promise<unknown> => host.l3.report({ haStates: [{ routerId, state }] });
    const statuses = async (): Promise<readonly unknown[]> => {
      const [router, floating] = [await server.site.showRouter(routerId), await server.floatingIpOf(floatingIpId)];
      return [router["status"], router["status_reason"], floating["status"], floating["status_reason"]];
    };
    await hears(one);
    await hears(two);
    return { server, one, two, routerId, floatingIpId, served, hears, say, become, statuses };
  }

  test("while one host forwards, what another one cannot build is nobody's trouble, and what it can is nobody's comfort", async () => {
    const { one, two, hears, say, become, statuses } = await setUp();
    await become(one, "primary");
    await become(two, "backup");
    await hears(one);
    await say(one, works);

    await say(two, fails("no bridge on node-2"));
    assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null]);

    await say(one, fails("no bridge on node-1"));
    await say(two, works);
    assert.deepEqual(await statuses(), ["ERROR", "no bridge on node-1", "ERROR", "no bridge on node-1"]);
  });

  test("before anybody forwards everybody is heard", async () => {
    const { one, two, say, statuses } = await setUp();

    await say(two, fails("no bridge on node-2"));
    assert.deepEqual(await statuses(), ["ERROR", "no bridge on node-2", "ERROR", "no bridge on node-2"]);

    await say(one, works);
    assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null]);
  });

  test("who takes over is made to report anew: of before only the other one's word is known, and that counts no more", async () => {
    const { one, two, hears, say, become, statuses } = await setUp();
    await become(one, "primary");
    await hears(one);
    await say(one, fails("no bridge on node-1"));
    await say(two, works);

    await become(two, "primary");
    await hears(two);
    await say(one, fails("still no bridge on node-1"));
    await say(two, works);

    assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null]);
  });

  test("a primary that says again that it is one is told nothing: that would go round for ever", async () => {
    const { server, one, routerId, hears, become } = await setUp();
    await become(one, "primary");
    await hears(one);
    const { revision_number } = await server.site.showRouter(routerId);

    await become(one, "primary");

    assert.equal((await server.site.showRouter(routerId))["revision_number"], revision_number);
  });

  test("when hosts come and go those that stay are made to report anew", async () => {
    const { server, one, two, routerId, hears, say, become, statuses } = await setUp();
    const { l3Agents } = server.rig.parts.services;
    await become(one, "primary");
    await hears(one);

    const three = await server.host("node-3");
    await waitFor(async () => (await server.hostsOf(routerId)).length === 3, { limitMs: 10_000, what: "a third host" });
    await hears(three);
    await hears(one);
    await say(one, works);
    assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null], "after an arrival");

    await l3Agents.removeRouter(admin, await server.agentId("node-3"), routerId);
    await hears(one);
    await say(one, fails("after the departure"));
    assert.equal((await statuses())[1], "after the departure");

    // The primary itself goes: any of those that are left.
    await l3Agents.removeRouter(admin, await server.agentId("node-1"), routerId);
    await hears(two);
    await say(two, works);
    assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null], "without the primary");
  });

  test("when an agent is switched off and on the other host is made to report anew", async () => {
    const { server, one, two, hears, say, become, statuses } = await setUp();
    const { agents } = server.rig.parts.services;
    await become(one, "primary");
    await hears(one);
    for (const type of ["L3 agent", "Floating IP agent"]) {
      for (const isUp of [false, true]) {
        await say(one, fails(`before ${type} ${isUp}`));
        await agents.update(admin, await server.agentId("node-2", type), { admin_state_up: isUp });
        await hears(one);
        await say(one, works);
        assert.deepEqual(await statuses(), ["ACTIVE", null, "ACTIVE", null], `${type} ${isUp}`);
      }
    }
    await hears(two);
  });

  test("ports of a router go DOWN with the last of its agents that is switched off, the port on the HA network with its own", async () => {
    const { server, one, two, routerId, hears, say, become } = await setUp();
    const { agents, ports } = server.rig.parts.services;
    await become(one, "primary");
    await become(two, "backup");
    await hears(one);
    await say(one, works);
    const query = { filters: [{ attribute: "device_id", values: [routerId] }], sorts: [], pageReverse: false };
    const statuses = async (): Promise<readonly string[]> => {
      const all = await ports.list(admin, query);
      const told = all.map((port) => {
        const isHa = port["device_owner"] === "network:router_ha_interface";
        return `${isHa ? `HA port of ${String(port["binding:host_id"])}` : "port"} ${String(port["status"])}`;
      });
      return [...new Set(told)].toSorted();
    };
    assert.deepEqual(await statuses(), ["HA port of node-1 ACTIVE", "HA port of node-2 ACTIVE", "port ACTIVE"]);

    await agents.update(admin, await server.agentId("node-1"), { admin_state_up: false });
    assert.deepEqual(await statuses(), ["HA port of node-1 DOWN", "HA port of node-2 ACTIVE", "port ACTIVE"]);

    await agents.update(admin, await server.agentId("node-2"), { admin_state_up: false });
    assert.deepEqual(await statuses(), ["HA port of node-1 DOWN", "HA port of node-2 DOWN", "port DOWN"]);

    await agents.update(admin, await server.agentId("node-2"), { admin_state_up: true });
    await become(two, "primary");
    await hears(two);
    await say(two, works);
    assert.deepEqual(await statuses(), ["HA port of node-1 DOWN", "HA port of node-2 ACTIVE", "port ACTIVE"]);
  });

  test("the end of a floating IP that the old primary did not tell of any more is told by the new one", async () => {
    const { server, one, two, floatingIpId, hears, say, become } = await setUp();
    await become(one, "primary");
    await hears(one);
    await say(one, works);
    const { revision_number } = await server.site.services.floatingIps.update(admin, floatingIpId, { port_id: null });
    const gone = { id: floatingIpId, revision: revision_number, status: "DOWN" };
    await two.fip.heard((item) => item.op === "delete", "its delete");
    await two.fip.report({ floatingIps: [gone] });
    assert.equal((await server.floatingIpOf(floatingIpId))["status"], "ACTIVE", "it still answers on the primary");
    const heard = two.fip.items.length;

    await become(two, "primary");

    const again = await two.fip.heard((item) => item.op === "delete" && item.id === floatingIpId, "its delete", heard);
    await two.fip.report({ floatingIps: [{ ...gone, revision: again.revision }] });
    assert.equal((await server.floatingIpOf(floatingIpId))["status"], "DOWN");
  });
});
