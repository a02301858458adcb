// What becomes of the routers of agents that are heard of no more.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { findAgent } from "../../../src/server/store/agent-rows.ts";
import { type LogLine, recordingLogger } from "../../helpers/agent-rig.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { type L3Host, L3Site } from "../../helpers/l3-site.ts";
import type { RigOptions } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  interface Scene {
    readonly clock: FakeClock;
    readonly lines: LogLine[];
    readonly server: L3Site;
  }

  async function setUp(options: RigOptions = {}): Promise<Scene> {
    const clock = new FakeClock();
    const lines: LogLine[] = [];
    const server = await L3Site.start(await openFresh(), { clock, log: recordingLogger(lines), ...options });
    sites.push(server);
    return { clock, lines, server };
  }

  /** Registers both agents of a host, which then say that they are ready. Answers the epoch too. */
  async function join(server: L3Site, name: string, configurations = {}): Promise<L3Host & { readonly epoch: string }> {
    const [l3, fip] = [server.l3(name), server.fip(name)];
    l3.configurations = configurations;
    const { epoch, seq } = await l3.sync();
    await fip.sync();
    l3.beat({ epoch, seq });
    const phase = async (): Promise<string | undefined> => (await findAgent(server.rig.store.db, "l3", name))?.phase;
    await waitFor(async () => (await phase()) === "ready", { limitMs: 10_000, what: "the word that it is ready" });
    return { l3, fip, epoch };
  }

  /** Time goes on; those who live are heard all along. Answers the outcome of the last look, and how many were moved. */
  async function pass(seconds: number, { clock, server }: Scene, ...living: readonly L3Host[]) {
    let { outcome, moved } = await server.rig.parts.l3Failover.pass();
    for (let at = 0; at < seconds; at += 5) {
      await clock.advance(5000);
      await Promise.all(living.map(({ l3 }) => l3.sync({ epoch: "", since: 1 })));
      const one = await server.rig.parts.l3Failover.pass();
      outcome = one.outcome;
      moved += one.moved;
    }
    return { outcome, moved };
  }

  test("L3-102: a dead agent's router moves once, with its floating IPs; the agent that returns hears first that it is gone", async () => {
    const scene = await setUp();
    const { clock, server } = scene;
    const one = await join(server, "node-1");
    const { routerId, floatingIpId, outside } = await server.served();
    await one.fip.heard((item) => item.id === floatingIpId, "the floating IP");
    const [two, three] = [await join(server, "node-2"), await join(server, "node-3")];
    const seen = { epoch: one.epoch, seq: one.l3.messages.at(-1)?.seq ?? 0 };

    assert.deepEqual(await pass(35, scene, two, three), { outcome: "passed", moved: 0 });
    assert.deepEqual(await pass(10, scene, two, three), { outcome: "passed", moved: 1 });
    const [host] = await server.hostsOf(routerId);
    const successor = host === "node-2" ? two : three;
    await successor.l3.heard((item) => item.op === "upsert" && item.id === routerId, "the router on its new host");
    await successor.fip.heard((item) => item.op === "upsert" && item.id === floatingIpId, "its floating IP");
    const gone = await one.fip.heard((item) => item.op === "delete" && item.id === floatingIpId, "the delete for the old host");
    assert.equal(gone.routerId, routerId);
    assert.deepEqual(await pass(60, scene, two, three), { outcome: "passed", moved: 0 });
    await server.site.setGateway(routerId, { network_id: outside.networkId, enable_snat: false });

    await clock.advance(1000);
    one.l3.beat(seen);
    await waitFor(() => one.l3.controls.length > 0, { limitMs: 10_000, what: "a word to the agent that is back" });
    assert.deepEqual(one.l3.controls[0], { action: "resync", reason: "revived", lostRouterIds: [routerId] });
    const delta = await one.l3.sync({ epoch: one.epoch, since: seen.seq });
    assert.deepEqual(
      delta.items.map(({ op, id }) => [op, id]),
      [["delete", routerId]],
    );
    one.l3.inventory = [routerId];
    assert.deepEqual(
      (await one.l3.sync()).items.map(({ op, id }) => [op, id]),
      [["delete", routerId]],
    );
  });

  test("more than half of the agents silent at once: nothing moves before they are back", async () => {
    const scene = await setUp();
    const { server, lines } = scene;
    const hosts = [await join(server, "node-1"), await join(server, "node-2"), await join(server, "node-3")] as const;
    const { networkId } = await server.site.external();
    const routerIds: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      routerIds.push(await server.site.router({ external_gateway_info: { network_id: networkId } }));
    }
    const [routerId = ""] = routerIds;
    const [host] = await server.hostsOf(routerId);
    const [living, back] = hosts.filter(({ l3 }) => l3.host !== host);
    assert.ok(living !== undefined && back !== undefined, "each has one");

    assert.deepEqual(await pass(90, scene, living), { outcome: "frozen", moved: 0 });
    assert.deepEqual(await server.hostsOf(routerId), [host]);
    assert.equal(
      lines.filter(({ message }) => message === "too many agents are silent, routers stay where they are").length,
      1,
    );

    assert.deepEqual(await pass(10, scene, living, back), { outcome: "passed", moved: 1 });
    assert.notDeepEqual(await server.hostsOf(routerId), [host]);
    assert.equal(lines.filter(({ message }) => message === "agents are back, routers are moved again").length, 1);
  });

  test("a router that nobody else can serve stays with its dead agent, and moves when somebody comes who can", async () => {
    const scene = await setUp();
    const { server } = scene;
    const { site } = server;
    await join(server, "node-1", { bridge_mappings: { outer: "br-ex" } });
    const physical = { "provider:network_type": "flat", "provider:physical_network": "outer" };
    const { networkId } = await site.external({}, physical);
    const routerId = await site.router({ external_gateway_info: { network_id: networkId } });
    const unable = { bridge_mappings: {} };
    const others = [await join(server, "node-2", unable), await join(server, "node-3", unable)];

    assert.deepEqual(await pass(60, scene, ...others), { outcome: "passed", moved: 0 });
    assert.deepEqual(await server.hostsOf(routerId), ["node-1"]);

    const able = await join(server, "node-4", { bridge_mappings: { outer: "br-ex" } });
    assert.deepEqual(await pass(5, scene, ...others, able), { outcome: "passed", moved: 1 });
    assert.deepEqual(await server.hostsOf(routerId), ["node-4"]);
  });

  test("DHCP agents and L3 agents are judged apart: the silence of the ones moves nothing of the others", async () => {
    const scene = await setUp();
    const { server } = scene;
    const one = await join(server, "node-1");
    const { routerId } = await server.served();
    const two = await join(server, "node-2");
    for (const host of ["node-1", "node-2", "node-3"]) {
      await server.rig.agent(host).sync();
      await server.rig.network({ cidr: "10.50.0.0/24" });
    }
    const dhcp = async (): Promise<string> => (await server.rig.parts.failover.pass()).outcome;
    assert.equal(await dhcp(), "passed");

    for (let n = 0; n < 4; n += 1) {
      await pass(15, scene, one, two);
      await dhcp();
    }

    assert.equal(await dhcp(), "frozen");
    assert.deepEqual(await server.hostsOf(routerId), ["node-1"]);
  });
});
