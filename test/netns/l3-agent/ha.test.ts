// A router of high availability on two hosts: real agents, keepalived, packets. The tests share one site and follow each other.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../../helpers/dependent-tests.ts";
import { idOf } from "../../helpers/network-services.ts";
import type { HaHost } from "../../helpers/ha-host.ts";
import { type HaScene, HaSite } from "../../helpers/ha-site.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const outsideAddress = "203.0.113.254";
const agents = ["l3-agent", "floating-ip-agent"] as const;

describe("a router of high availability on two hosts", { skip: skipWithoutRoot }, () => {
  let site: HaSite;
  let scene: HaScene;
  let floating = "";

  failAfterTheFirst();
  before(async () => {
    site = await HaSite.open({ advertMs: 1000 });
    scene = await site.build();
  });
  after(() => site.close());

  /** Of the router, as its neighbours know it. */
  const addressesOf = async (host: HaHost): Promise<readonly string[]> => {
    const text = await host.inRouter(scene.routerId, "ip", "-j", "addr");
    const links: readonly { ifname: string; addr_info: readonly { local: string; scope: string }[] }[] = JSON.parse(text);
    const own = links.filter(({ ifname }) => /^q[rg]-/.test(ifname)).flatMap((link) => link.addr_info);
    // Of scope host: what keeps the routes of floating IPs on a device without addresses.
    return own.filter(({ scope }) => scope !== "host").map(({ local }) => local);
  };

  const pidsOf = (host: HaHost, program: string): readonly number[] => host.daemons(program).map(({ pid }) => pid);

  /** Only the primary has what belongs to it: addresses, routes, radvd. */
  async function assertOnlyOneForwards(): Promise<void> {
    const { primary, backup } = await site.settled(scene.routerId);
    assert.ok((await addressesOf(primary)).includes("10.0.0.1"));
    assert.deepEqual(await addressesOf(backup), []);
    const defaults = async (host: HaHost): Promise<string> => host.inRouter(scene.routerId, "ip", "route", "show", "default");
    assert.match(await defaults(primary), /via 203\.0\.113\.1 /);
    assert.equal(await defaults(backup), "");
    const limit = { limitMs: 10_000, what: "radvd on the primary only" };
    await waitFor(() => pidsOf(primary, "radvd").length > 0 && pidsOf(backup, "radvd").length === 0, limit);
  }

  /** From inside to outside, and from outside to the floating IP. */
  async function assertReachable(): Promise<void> {
    await site.pings(scene.guest, outsideAddress);
    await site.pings(site.outside, floating);
  }

  /** The other host forwards and says so; the first one follows it. */
  async function waitForTakeOver(from: HaHost): Promise<void> {
    const limit = { limitMs: 40_000, what: "the other host to take over", everyMs: 100 };
    await waitFor(async () => (await site.settled(scene.routerId)).primary !== from, limit);
  }

  test("L3-91, L3-90: one host forwards and the other stands by without addresses, routes and advertisements", async () => {
    await assertOnlyOneForwards();
    await site.pings(scene.guest, outsideAddress);
  });

  test("L3-93: a floating IP is on both hosts, and one answers for it", async () => {
    const { primary, backup } = await site.settled(scene.routerId);
    const made = await site.site.floatingIp(scene.externalNetwork, { port_id: scene.guestPort });
    floating = String(made["floating_ip_address"]);

    await site.pings(site.outside, floating);

    const localRoutes = (host: HaHost): Promise<string> =>
      host.inRouter(scene.routerId, "ip", "route", "show", "table", "local", "proto", "static");
    for (const host of [primary, backup]) {
      await waitFor(async () => (await localRoutes(host)).includes(floating), { limitMs: 10_000, what: "its local route" });
    }
    const answers = async (host: HaHost): Promise<string> =>
      host.inRouter(scene.routerId, "sh", "-c", "cat /proc/sys/net/ipv4/conf/qg-*/arp_ignore");
    assert.deepEqual([await answers(primary), await answers(backup)], ["0\n", "8\n"]);
    const shown = await waitFor(
      async () => {
        const now = await site.site.services.floatingIps.show(site.site.context, idOf(made));
        return now["status"] === "ACTIVE" ? now : undefined;
      },
      { limitMs: 10_000, what: "the floating IP to be ACTIVE" },
    );
    assert.equal(shown["router_id"], scene.routerId);
  });

  test("L3-95: agents that are killed and start again adopt it: no packet is lost, and nothing changes hands", async () => {
    const { primary } = await site.settled(scene.routerId);
    const before = site.hosts.map((host) => pidsOf(host, "keepalived"));
    const pings = await site.keepPinging(site.outside, floating);

    for (const host of site.hosts) for (const agent of agents) await host.endAgent(agent, "SIGKILL");
    for (const host of site.hosts) for (const agent of agents) await host.startAgent(agent);

    const { sent, lost } = await pings.stop();
    assert.ok(sent > 10);
    assert.equal(lost, 0);
    assert.deepEqual(
      site.hosts.map((host) => pidsOf(host, "keepalived")),
      before,
    );
    assert.equal((await site.settled(scene.routerId)).primary, primary);
    await assertOnlyOneForwards();
  });

  test("a new interface and an extra route come to the primary without a transition", async () => {
    const { primary } = await site.settled(scene.routerId);
    const pings = await site.keepPinging(site.outside, floating);
    const { subnetId } = await site.site.internal("10.7.0.0/24");
    await site.site.add(scene.routerId, { subnetId });
    const routes = [{ destination: "192.0.2.0/24", nexthop: "10.7.0.9" }];
    await site.site.services.routers.update(site.site.context, scene.routerId, { routes });

    const limit = { limitMs: 10_000, what: "address and route" };
    await waitFor(async () => (await addressesOf(primary)).includes("10.7.0.1"), limit);
    await waitFor(
      async () => (await primary.inRouter(scene.routerId, "ip", "route")).includes("192.0.2.0/24 via 10.7.0.9"),
      limit,
    );

    assert.equal((await pings.stop()).lost, 0);
    assert.equal((await site.settled(scene.routerId)).primary, primary);
    await assertOnlyOneForwards();
  });

  test("an address that is taken from the primary by hand comes back, one that is put on the backup goes; nothing changes hands", async () => {
    const { primary, backup } = await site.settled(scene.routerId);
    const device = "$(ip -br link | grep -o '^qg-[^@]*')";

    await primary.inRouter(scene.routerId, "sh", "-c", `ip -4 addr flush dev ${device} scope global`);
    await backup.inRouter(scene.routerId, "sh", "-c", `ip addr add 203.0.113.77/24 dev ${device}`);

    const limit = { limitMs: 15_000, what: "both hosts as they were" };
    await waitFor(async () => (await addressesOf(primary)).some((address) => address.startsWith("203.0.113.")), limit);
    await waitFor(async () => (await addressesOf(backup)).length === 0, limit);
    assert.equal((await site.settled(scene.routerId)).primary, primary);
    await assertReachable();
    await assertOnlyOneForwards();
  });

  test("kill -9 of the primary's keepalived: it is started again, the other host takes over, and less is lost than in an election", async () => {
    const { primary } = await site.settled(scene.routerId);
    const pings = await site.keepPinging(site.outside, floating);

    for (const pid of pidsOf(primary, "keepalived")) process.kill(pid, "SIGKILL");

    await waitForTakeOver(primary);
    const { sent, lost } = await pings.stop();
    // An election without anybody who forwards would cost 26 and more.
    assert.ok(sent > 5 && lost <= 15, `${lost} of ${sent} lost`);
    await assertReachable();
    await assertOnlyOneForwards();
  });

  test("the primary's namespace is deleted: the other host takes over, and this one stands by anew", async () => {
    const { primary } = await site.settled(scene.routerId);

    await primary.inside("ip", "netns", "del", primary.routerNamespace(scene.routerId));

    await waitForTakeOver(primary);
    await assertReachable();
    await assertOnlyOneForwards();
  });

  test("L3-94: a gateway that is removed and given back: both hosts follow, and nothing changes hands", async () => {
    const { primary, backup } = await site.settled(scene.routerId);
    const hasGateway = async (host: HaHost): Promise<boolean> =>
      (await host.inRouter(scene.routerId, "ip", "-br", "link")).includes("qg-");
    const { services, context } = site.site;
    const query = { filters: [], sorts: [], pageReverse: false };
    for (const one of await services.floatingIps.list(context, query)) await services.floatingIps.remove(context, idOf(one));

    await site.site.setGateway(scene.routerId, null);
    for (const host of site.hosts) {
      await waitFor(async () => !(await hasGateway(host)), { limitMs: 10_000, what: `no gateway on ${host.name}` });
    }
    await site.site.setGateway(scene.routerId, { network_id: scene.externalNetwork });
    for (const host of site.hosts) {
      await waitFor(() => hasGateway(host), { limitMs: 10_000, what: `a gateway on ${host.name}` });
    }
    const made = await site.site.floatingIp(scene.externalNetwork, { port_id: scene.guestPort });
    floating = String(made["floating_ip_address"]);

    await assertReachable();
    assert.deepEqual(await site.settled(scene.routerId), { primary, backup });
    await assertOnlyOneForwards();
  });

  test("L3-13: a router that is down becomes a plain one on one host, and one of high availability again on both", async () => {
    const { services, context } = site.site;
    const change = async (values: object): Promise<void> => {
      await services.routers.update({ ...context, isAdmin: true }, scene.routerId, { ...values });
    };
    await change({ admin_state_up: false });
    await change({ ha: false });
    await change({ admin_state_up: true });
    const limit = { limitMs: 15_000, what: "a router without keepalived" };
    await assertReachable();
    await waitFor(() => site.hosts.every((host) => host.daemons("keepalived").length === 0), limit);

    await change({ admin_state_up: false });
    await change({ ha: true });
    const networks = await services.networks.list(context, { filters: [], sorts: [], pageReverse: false });
    await site.wireNew(networks.map(idOf));
    await change({ admin_state_up: true });

    await site.settled(scene.routerId);
    await assertReachable();
    await assertOnlyOneForwards();
  });

  test("without any agent a take-over moves everything, floating IPs too; agents that return learn of it", async () => {
    const { primary, backup } = await site.settled(scene.routerId);
    for (const host of site.hosts) for (const agent of agents) await host.endAgent(agent, "SIGKILL");

    await primary.inRouter(scene.routerId, "sh", "-c", "ip link set $(ip -br link | grep -o '^ha-[^@]*') down");

    await site.pings(site.outside, floating);
    const limit = { limitMs: 20_000, what: "the addresses on the other host" };
    await waitFor(async () => (await addressesOf(backup)).includes("10.0.0.1"), limit);
    assert.ok(!(await addressesOf(primary)).includes("10.0.0.1"));
    await assertReachable();

    // And back, still without agents: nobody sets anew what the first host has lost.
    await primary.inRouter(scene.routerId, "sh", "-c", "ip link set $(ip -br link | grep -o '^ha-[^@]*') up");
    await backup.inRouter(scene.routerId, "sh", "-c", "ip link set $(ip -br link | grep -o '^ha-[^@]*') down");
    await waitFor(async () => (await addressesOf(primary)).includes("10.0.0.1"), limit);
    await assertReachable();
    for (const host of site.hosts) for (const agent of agents) await host.startAgent(agent);
    await waitForTakeOver(backup);
    await assertReachable();
    await assertOnlyOneForwards();
  });

  test("L3-97: with the router its keepalived and namespaces go, and the HA network with the last one", async () => {
    const { services } = site.site;
    const ports = await services.ports.list(site.site.context, {
      ...{ filters: [{ attribute: "device_id", values: [scene.routerId] }], sorts: [], pageReverse: false },
    });
    await services.routers.update(site.site.context, scene.routerId, { routes: [] });
    const query = { filters: [], sorts: [], pageReverse: false };
    for (const floatingIp of await services.floatingIps.list(site.site.context, query)) {
      await services.floatingIps.remove(site.site.context, idOf(floatingIp));
    }
    for (const port of ports.filter((one) => one["device_owner"] === "network:router_interface")) {
      await site.site.remove(scene.routerId, { portId: idOf(port) });
    }
    await services.routers.remove(site.site.context, scene.routerId);

    for (const host of site.hosts) {
      const gone = async (): Promise<boolean> =>
        host.daemons("keepalived").length === 0 &&
        !(await host.inside("ip", "netns")).includes(host.routerNamespace(scene.routerId));
      await waitFor(gone, { limitMs: 20_000, what: `nothing of the router on ${host.name}` });
      assert.equal(
        (
          await host.inside(
            "sh",
            "-c",
            `ls ${host.stateDir}/l3/ha ${host.stateDir}/l3/ha-state | grep -c ${scene.routerId} || true`,
          )
        ).trim(),
        "0",
      );
    }
    const networks = await services.networks.list(site.site.context, query);
    assert.ok(networks.every((network) => !String(network["name"]).startsWith("HA network")));
  });
});
