// A plain router goes from host to host with its floating IP, while agents are dead: real agents, packets. The tests share one site
// and follow each other.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../../helpers/dependent-tests.ts";
import type { HaHost } from "../../helpers/ha-host.ts";
import { type HaScene, HaSite } from "../../helpers/ha-site.ts";
import { admin, everything, idOf } from "../../helpers/network-services.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const agents = ["l3-agent", "floating-ip-agent"] as const;
const soon = { limitMs: 30_000, everyMs: 100 };

describe("a router that goes to another host", { skip: skipWithoutRoot }, () => {
  let site: HaSite;
  let scene: HaScene;
  let floatingIpId = "";
  let floating = "";

  failAfterTheFirst();
  before(async () => {
    site = await HaSite.open({ advertMs: 1000, agentDownMs: 7000, failover: { failoverAfterMs: 8000 } });
    scene = await site.build({});
    const made = await site.site.floatingIp(scene.externalNetwork, { port_id: scene.guestPort });
    [floatingIpId, floating] = [idOf(made), String(made["floating_ip_address"])];
    await waitForStatus();
  });
  after(() => site?.close());

  const status = async (): Promise<unknown> => (await site.services.floatingIps.show(admin, floatingIpId))["status"];
  const waitForStatus = (): Promise<unknown> =>
    waitFor(async () => (await status()) === "ACTIVE", { ...soon, what: "the floating IP to be ACTIVE" });
  const hostOf = async (): Promise<string> => Object.keys(await site.states(scene.routerId)).join();
  /** The host that has it, and the other one. */
  const readHosts = async (): Promise<readonly [HaHost, HaHost]> => {
    const name = await hostOf();
    const [own, other] = [site.hosts.find((host) => host.name === name), site.hosts.find((host) => host.name !== name)];
    if (own === undefined || other === undefined) throw new Error(`the router is on ${name}`);
    return [own, other];
  };
  const agentIdOf = async (host: HaHost): Promise<string> => {
    const all = await site.services.agents.list(admin, everything);
    return idOf(all.find((agent) => agent["host"] === host.name && agent["agent_type"] === "L3 agent") ?? {});
  };
  const hasRouter = async (host: HaHost): Promise<boolean> =>
    (await host.inside("ls", "/run/netns")).split("\n").includes(host.routerNamespace(scene.routerId)) &&
    (await host.inRouter(scene.routerId, "true").then(
      () => true,
      () => false,
    ));
  const serves = async (host: HaHost): Promise<boolean> =>
    (await hasRouter(host)) &&
    (await host.inRouter(scene.routerId, "ip", "route", "show", "table", "local", "proto", "static")).includes(floating);
  const end = async (host: HaHost): Promise<void> => {
    for (const agent of agents) await host.endAgent(agent, "SIGKILL");
  };
  const start = async (host: HaHost): Promise<void> => {
    for (const agent of agents) await host.startAgent(agent);
  };

  test("L3-102: its host dies: it is served by the other one, with its floating IP, and not made anew by the first when that returns", async () => {
    const [own, other] = await readHosts();
    await site.pings(site.outside, floating);
    assert.deepEqual([await serves(own), await hasRouter(other)], [true, false]);

    await end(own);
    await own.inside("ip", "netns", "del", own.routerNamespace(scene.routerId));

    await waitFor(() => serves(other), { ...soon, what: "the other host to serve it" });
    await site.pings(site.outside, floating);
    await site.pings(scene.guest, "203.0.113.254");
    await waitForStatus();
    await start(own);
    assert.equal(await hasRouter(own), false);
    const isAsBefore = async (): Promise<boolean> => (await hostOf()) === other.name && (await status()) === "ACTIVE";
    await waitFor(isAsBefore, { ...soon, what: `the router to be ACTIVE on ${other.name}` });
    assert.deepEqual([await serves(other), await hasRouter(own)], [true, false]);
    await site.pings(site.outside, floating);
  });

  test("L3-47: given to another host by hand while its own hears nothing: the old side drops it when it hears last", async () => {
    const [own, other] = await readHosts();
    await end(own);

    await site.services.l3Agents.removeRouter(admin, await agentIdOf(own), scene.routerId);
    await site.services.l3Agents.addRouter(admin, await agentIdOf(other), scene.routerId);
    await waitFor(() => serves(other), { ...soon, what: "the other host to serve it" });
    await waitForStatus();
    assert.equal(await serves(own), true, "the data plane did not outlive its agents");
    await start(own);

    await waitFor(async () => !(await hasRouter(own)), { ...soon, what: "the old host to drop it" });
    await site.pings(site.outside, floating);
    assert.deepEqual([await serves(other), await status()], [true, "ACTIVE"]);
  });
});
