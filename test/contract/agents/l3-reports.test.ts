// What L3 agents and floating-IP agents report, and what of it the server believes.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { findInstanceReplySchema } from "../../../src/types/l3-messages.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { admin, idOf } from "../../helpers/network-services.ts";
import { floatingIpIn, routerIn } from "../../helpers/raw-l3-agent.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  /** A floating IP served on node-1, and what its agents were told. */
  async function setUp() {
    const server = await L3Site.start(await openFresh());
    sites.push(server);
    const one = await server.host("node-1");
    const served = await server.served();
    const two = await server.host("node-2");
    const router = routerIn((await one.l3.snapshot())[0]);
    const floating = floatingIpIn((await one.fip.snapshot())[0]);
    const showRouter = () => server.site.showRouter(served.routerId);
    const showFip = () => server.floatingIpOf(served.floatingIpId);
    return { server, one, two, served, router, floating, showRouter, showFip };
  }

  test("a router that its agent says works is ACTIVE, and so are its ports that are switched on", async () => {
    const { server, one, served, router, showRouter } = await setUp();
    const { ports } = server.site.services;
    const own = String(router.interfaces[0]?.portId);
    await ports.update(admin, own, { admin_state_up: false });
    const statusOf = async (id: unknown): Promise<unknown> => (await ports.show(admin, String(id)))["status"];
    const gateway = router.gateway?.portId;
    assert.deepEqual([await statusOf(own), await statusOf(gateway)], ["DOWN", "DOWN"]);
    const revision = Number((await showRouter())["revision_number"]);

    await one.l3.report({
      routers: [{ id: served.routerId, revision, status: "ERROR", reason: "no bridge for physnet outer" }],
    });
    const failed = await showRouter();
    assert.deepEqual([failed["status"], failed["status_reason"]], ["ERROR", "no bridge for physnet outer"]);
    assert.ok(Number(failed["revision_number"]) > revision);
    assert.deepEqual([await statusOf(own), await statusOf(gateway)], ["DOWN", "DOWN"]);

    await one.l3.report({ routers: [{ id: served.routerId, revision, status: "ACTIVE" }] });
    const works = await showRouter();
    assert.deepEqual([works["status"], works["status_reason"]], ["ACTIVE", null]);
    assert.deepEqual([await statusOf(own), await statusOf(gateway)], ["DOWN", "ACTIVE"]);
    await one.l3.report({ routers: [{ id: served.routerId, revision, status: "ACTIVE" }] });
    assert.equal((await showRouter())["revision_number"], works["revision_number"]);
  });

  test("ports of a router that is switched off are DOWN when its agent has taken it away", async () => {
    const { server, one, served, router } = await setUp();
    const { routers, ports } = server.site.services;
    await one.l3.report({ routers: [{ id: served.routerId, revision: router.revision, status: "ACTIVE" }] });
    const portId = String(router.gateway?.portId);
    assert.equal((await ports.show(admin, portId))["status"], "ACTIVE");

    const { revision_number } = await routers.update(admin, served.routerId, { admin_state_up: false });
    await one.l3.report({ routers: [{ id: served.routerId, revision: revision_number, status: "ACTIVE" }] });

    assert.equal((await ports.show(admin, portId))["status"], "DOWN");
  });

  test("ports of a router are DOWN while its agent is switched off, and ACTIVE when that has it again", async () => {
    const { server, one, served, router, showRouter } = await setUp();
    const { ports, agents } = server.rig.parts.services;
    const works = async (): Promise<unknown> => {
      const revision = (await showRouter())["revision_number"];
      return one.l3.report({ routers: [{ id: served.routerId, revision, status: "ACTIVE" }] });
    };
    const statuses = async (): Promise<ReadonlySet<unknown>> => {
      const own = [router.gateway?.portId, router.interfaces[0]?.portId];
      return new Set(await Promise.all(own.map(async (id) => (await ports.show(admin, String(id)))["status"])));
    };
    await works();
    assert.deepEqual(await statuses(), new Set(["ACTIVE"]));

    await agents.update(admin, await server.agentId("node-1"), { admin_state_up: false });
    assert.deepEqual(await statuses(), new Set(["DOWN"]));
    // What was under way says nothing any more.
    await one.l3.report({ routers: [{ id: served.routerId, revision: router.revision, status: "ACTIVE" }] });
    assert.deepEqual(await statuses(), new Set(["DOWN"]));

    await agents.update(admin, await server.agentId("node-1"), { admin_state_up: true });
    await works();
    assert.deepEqual(await statuses(), new Set(["ACTIVE"]));
  });

  test("L3-53: a report of an older state, of another host, or of what is gone changes nothing and is answered all the same", async () => {
    const { server, one, two, served, router, floating, showRouter, showFip } = await setUp();
    await server.site.setGateway(served.routerId, { network_id: served.outside.networkId, enable_snat: false });
    const before = [await showRouter(), await showFip()];
    const now = Number((await showRouter())["revision_number"]);
    const bad = { status: "ERROR", reason: "of no matter" };

    await one.l3.report({ routers: [{ id: served.routerId, revision: router.revision, ...bad }] });
    await two.l3.report({
      routers: [
        { id: served.routerId, revision: now, ...bad },
        { id: nowhere, revision: 1, ...bad },
      ],
    });
    await two.fip.report({ floatingIps: [{ id: served.floatingIpId, revision: floating.revision, ...bad }] });
    await one.fip.report({ floatingIps: [{ id: nowhere, revision: 7, ...bad }] });
    await one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision: floating.revision - 1, ...bad }] });
    await one.fip.report({});

    assert.deepEqual([await showRouter(), await showFip()], before);
    await assert.rejects(one.fip.report({ floatingIps: [{ id: "x", revision: 1, status: "ACTIVE" }] }), /not understood/);
  });

  test("L3-43, L3-44, L3-45: a floating IP is DOWN until its agent has it, and until it is gone again it is what it was", async () => {
    const { server, one, served, floating, showFip } = await setUp();
    const { floatingIps } = server.site.services;
    const report = (revision: unknown, status: string, reason: string | null = null): Promise<unknown> =>
      one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision, status, reason }] });
    assert.equal((await showFip())["status"], "DOWN");

    await report(floating.revision, "ACTIVE");
    const active = await showFip();
    assert.equal(active["status"], "ACTIVE");
    assert.equal(Number(active["revision_number"]), floating.revision + 1);

    const other = await server.site.portId(served.inside.networkId);
    const moved = await floatingIps.update(admin, served.floatingIpId, { port_id: other });
    assert.equal(moved["status"], "DOWN");
    await report(floating.revision, "ACTIVE");
    assert.equal((await showFip())["status"], "DOWN");
    await report(moved["revision_number"], "ACTIVE");

    const freed = await floatingIps.update(admin, served.floatingIpId, { port_id: null });
    assert.deepEqual(
      [freed["status"], freed["router_id"], freed["port_id"], freed["fixed_ip_address"]],
      ["ACTIVE", null, null, null],
    );
    await report(freed["revision_number"], "ACTIVE");
    assert.equal((await showFip())["status"], "ACTIVE");
    await report(freed["revision_number"], "DOWN");
    assert.equal((await showFip())["status"], "DOWN");
  });

  test("L3-44: whoever comes after an agent that was killed hears whose end it has to tell of, and each only until it has told", async () => {
    const { server, one, two, served, floating, showFip } = await setUp();
    await one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision: floating.revision, status: "ACTIVE" }] });
    assert.equal((await one.fip.snapshot()).length, 1);
    await server.site.services.floatingIps.update(admin, served.floatingIpId, { port_id: null });
    assert.equal((await showFip())["status"], "ACTIVE");

    const [gone, ...others] = await one.fip.snapshot();

    assert.deepEqual(
      [gone?.op, gone?.kind, gone?.id, gone?.routerId],
      ["delete", "floating-ip", served.floatingIpId, served.routerId],
    );
    assert.deepEqual([others, await two.fip.snapshot()], [[], []]);
    await one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision: gone?.revision, status: "DOWN" }] });
    assert.equal((await showFip())["status"], "DOWN");
    assert.deepEqual(await one.fip.snapshot(), []);
  });

  test("an agent that is switched off, and looks before it hears of it, is told whose end it has to tell of", async () => {
    const { server, one, two, served, floating, showFip } = await setUp();
    const { agents } = server.rig.parts.services;
    const tell = (revision: unknown, status: string): Promise<unknown> =>
      one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision, status }] });
    let revision: unknown = floating.revision;
    for (const type of ["Floating IP agent", "L3 agent"]) {
      await tell(revision, "ACTIVE");
      const id = await server.agentId("node-1", type);
      await agents.update(admin, id, { admin_state_up: false });
      assert.equal((await showFip())["status"], "ACTIVE");

      const [gone, ...others] = await one.fip.snapshot();

      assert.deepEqual([gone?.op, gone?.id, gone?.routerId, others], ["delete", served.floatingIpId, served.routerId, []]);
      assert.deepEqual(await two.fip.snapshot(), []);
      await tell(gone?.revision, "DOWN");
      assert.equal((await showFip())["status"], "DOWN");
      assert.deepEqual(await one.fip.snapshot(), []);
      await agents.update(admin, id, { admin_state_up: true });
      revision = floatingIpIn((await one.fip.snapshot())[0]).revision;
    }
  });

  test("L3-48: what an agent cannot do is ERROR with its reason, and works again when it says so", async () => {
    const { one, served, floating, showFip } = await setUp();
    const { revision } = floating;
    await one.fip.report({
      floatingIps: [{ id: served.floatingIpId, revision, status: "ERROR", reason: "nft: no such table" }],
    });
    const failed = await showFip();
    assert.deepEqual([failed["status"], failed["status_reason"]], ["ERROR", "nft: no such table"]);

    await one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision, status: "ACTIVE" }] });

    const works = await showFip();
    assert.deepEqual([works["status"], works["status_reason"]], ["ACTIVE", null]);
  });

  test("nobody is left to report of a router that nobody hosts: it is quiet, and its floating IPs are DOWN", async () => {
    const { server, one, served, router, floating, showFip, showRouter } = await setUp();
    const bad = { status: "ERROR", reason: "a reason" };
    await one.l3.report({ routers: [{ id: served.routerId, revision: router.revision, ...bad }] });
    await one.fip.report({ floatingIps: [{ id: served.floatingIpId, revision: floating.revision, status: "ACTIVE" }] });
    const idle = await server.site.floatingIp(served.outside.networkId, {
      port_id: await server.site.portId(served.inside.networkId),
    });
    const { revision_number } = idle;
    await one.fip.report({ floatingIps: [{ id: idle["id"], revision: revision_number, status: "ACTIVE" }] });
    await server.site.services.floatingIps.update(admin, idOf(idle), { port_id: null });

    await server.rig.parts.services.l3Agents.removeRouter(admin, await server.agentId("node-1"), served.routerId);

    assert.deepEqual([(await showRouter())["status"], (await showRouter())["status_reason"]], ["ACTIVE", null]);
    assert.equal((await showFip())["status"], "DOWN");
    assert.equal((await server.floatingIpOf(idOf(idle)))["status"], "DOWN");
    await server.site.services.floatingIps.update(admin, served.floatingIpId, { port_id: null });
    assert.equal((await showFip())["status"], "DOWN");
  });

  test("1,000 reports in one message are stored; more are refused", async () => {
    const { one, served, floating, showFip } = await setUp();
    const many = Array.from({ length: 999 }, (_, n) => ({
      id: `99999999-2222-4333-8444-${n.toString().padStart(12, "0")}`,
      revision: 1,
      status: "ACTIVE",
    }));
    const own = { id: served.floatingIpId, revision: floating.revision, status: "ACTIVE" };

    await one.fip.report({ floatingIps: [...many, own] });

    assert.equal((await showFip())["status"], "ACTIVE");
    await assert.rejects(one.fip.report({ floatingIps: [...many, own, own] }), /not understood/);
  });

  test("an agent asks whose address on a router's networks it is, and hears of its own routers only", async () => {
    const { server, one, two, served } = await setUp();
    const device = { device_id: "instance-1", fixed_ips: [{ ip_address: "10.0.0.77" }], mac_address: "fa:16:3e:00:00:77" };
    const portId = await server.site.portId(served.inside.networkId, device);
    const ask = async (from: typeof one, ipAddress: string): Promise<readonly (string | undefined)[]> => {
      const answer = await from.l3.call("findInstance", { routerId: served.routerId, ipAddress });
      return findInstanceReplySchema.parse(answer).views.map(({ ports }) => ports[0]?.id);
    };

    assert.deepEqual(await ask(one, "10.0.0.77"), [portId]);
    assert.deepEqual(await ask(one, "fe80::f816:3eff:fe00:77"), [portId]);
    assert.deepEqual(await ask(one, "10.0.0.78"), []);
    assert.deepEqual(await ask(two, "10.0.0.77"), []);
    // A link-local address is anybody's to take: where a network of somebody else's is joined too, its instances are not told by it.
    const site = server.site;
    const [foreign] = await site.services.networks.create(admin, [{ name: "foreign", shared: true, project_id: "p9" }]);
    const foreignNetwork = idOf(foreign ?? {});
    const foreignSubnet = await site.subnet(foreignNetwork, { cidr: "10.9.0.0/24" });
    await site.add(served.routerId, { subnetId: foreignSubnet });
    const victim = { device_id: "victim", fixed_ips: [{ ip_address: "10.9.0.99" }], mac_address: "fa:16:3e:00:00:99" };
    const victimPort = await site.portId(foreignNetwork, victim);
    assert.deepEqual(await ask(one, "10.9.0.99"), [victimPort]);
    assert.deepEqual(await ask(one, "fe80::f816:3eff:fe00:99"), []);
    assert.deepEqual(await ask(one, "fe80::f816:3eff:fe00:77"), [portId]);
    // L3-78: no address is on two networks of one router.
    const twin = await server.site.services.networks.create(admin, [{ name: "twin" }]);
    const subnetId = await server.site.subnet(idOf(twin[0] ?? {}), { cidr: "10.0.0.64/26", gateway_ip: "10.0.0.65" });
    await assert.rejects(server.site.add(served.routerId, { subnetId }), /overlaps/);
  });
});
