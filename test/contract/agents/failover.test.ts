import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Port } from "../../../src/model/network.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { takeJobLease } from "../../../src/server/store/job-leases.ts";
import { findAgent } from "../../../src/server/store/agent-rows.ts";
import { claimPortReplySchema, type SyncReply } from "../../../src/types/agent-messages.ts";
import { type LogLine, recordingLogger } from "../../helpers/agent-rig.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { admin, idOf } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const limit = { limitMs: 10_000 };

async function claim(agent: RawAgent, networkId: string, subnetIds: readonly string[]): Promise<Port> {
  const { port } = claimPortReplySchema.parse(await agent.call("claimDhcpPort", { networkId, subnetIds }));
  assert.ok(port !== null, "the claim was answered with nothing");
  return port;
}

forEachDatabase((_name, openFresh, freshUrl) => {
  const rigs: ServerRig[] = [];
  const stores: Store[] = [];
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  const setUp = async (options: Parameters<typeof ServerRig.start>[1] = {}) => {
    const clock = new FakeClock();
    const lines: LogLine[] = [];
    const rig = await ServerRig.start(await openFresh(), { clock, log: recordingLogger(lines), ...options });
    rigs.push(rig);
    return { clock, lines, rig };
  };

  /** Registers the agent, which then says that it is ready; answers its first sync. */
  async function join(rig: ServerRig, agent: RawAgent): Promise<SyncReply> {
    const reply = await agent.sync();
    agent.beat({ epoch: reply.epoch, seq: reply.seq });
    const phase = async (): Promise<string | undefined> => (await findAgent(rig.store.db, "dhcp", agent.host))?.phase;
    await waitFor(async () => (await phase()) === "ready", { ...limit, what: "the word that it is ready" });
    return reply;
  }

  /** Time goes on; those who live are heard all along. Answers the last pass, and what all of them moved. */
  async function pass(seconds: number, { clock, rig }: { clock: FakeClock; rig: ServerRig }, ...living: readonly RawAgent[]) {
    let { outcome, moved } = await rig.parts.failover.pass();
    for (let at = 0; at < seconds; at += 5) {
      await clock.advance(5000);
      await Promise.all(living.map((agent) => agent.sync({ epoch: "", since: 1 })));
      const one = await rig.parts.failover.pass();
      outcome = one.outcome;
      moved += one.moved;
    }
    return { outcome, moved };
  }

  test("DA-225: a dead agent's network goes to one successor with the same DHCP port and address", async () => {
    const all = await setUp();
    const { rig } = all;
    const [one, two, three] = [rig.agent("node-1"), rig.agent("node-2"), rig.agent("node-3")];
    await join(rig, one);
    const { networkId, subnetId } = await rig.network();
    await two.sync();
    await three.sync();
    const before = await claim(one, networkId, [subnetId]);
    await waitFor(() => one.items.some(({ id }) => id === before.id), { ...limit, what: "the port on the first host" });
    const heardByDead = one.items.length;

    assert.deepEqual(await pass(35, all, two, three), { outcome: "passed", moved: 0 });
    assert.deepEqual(await rig.hostsOf(networkId), ["node-1"]);
    assert.deepEqual(await pass(10, all, two, three), { outcome: "passed", moved: 1 });

    const [host] = await rig.hostsOf(networkId);
    const successor = host === "node-2" ? two : three;
    assert.equal((await rig.showPort(before.id))["device_id"], "reserved_dhcp_port");
    await waitFor(() => successor.items.some(({ id }) => id === networkId), { ...limit, what: "the network on its new host" });
    const after = await claim(successor, networkId, [subnetId]);
    assert.deepEqual([after.id, after.fixedIps, after.macAddress], [before.id, before.fixedIps, before.macAddress]);
    assert.equal(after.bindingHost, successor.host);
    assert.equal((await rig.hostsOf(networkId)).length, 1);
    // Nothing but the removal, which waits for its return; neither its port's change nor its successor's claim.
    assert.deepEqual(
      one.items.slice(heardByDead).map(({ op, kind, id }) => [op, kind, id]),
      [["delete", "network", networkId]],
    );
  });

  test("DA-019: an agent that comes back is told first which networks it lost, by control and by sync", async () => {
    const all = await setUp();
    const { clock, rig } = all;
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    const { epoch } = await join(rig, one);
    const { networkId } = await rig.network();
    const kept = await rig.network({ cidr: "10.1.0.0/24" }, { availability_zone_hints: ["nova"] });
    await two.sync();
    const seen = { epoch, seq: 4 };
    await rig.port(networkId);
    await pass(45, all, two);
    assert.deepEqual(await rig.hostsOf(networkId), ["node-2"]);
    const { agents } = rig.parts.services;
    // It keeps one: brought back by hand, after it was taken away.
    await agents.addNetwork(admin, idOf(await rig.agentOf("node-1")), kept.networkId);

    await clock.advance(1000);
    one.beat(seen);
    await waitFor(() => one.controls.length > 0, { ...limit, what: "a word to the agent that is back" });
    const delta = await one.sync({ epoch, since: seen.seq });

    assert.deepEqual(one.controls[0], { action: "resync", reason: "revived", lostNetworkIds: [networkId] });
    assert.equal(delta.mode, "delta");
    assert.deepEqual([delta.items[0]?.op, delta.items[0]?.id], ["delete", networkId]);
    assert.ok(delta.items.slice(1).every((item) => item.networkId !== networkId));
    assert.ok(delta.items.some(({ op, id }) => op === "upsert" && id === kept.networkId));
  });

  test("a new process is told in its first page what of its inventory is no longer its own", async () => {
    const all = await setUp();
    const { rig } = all;
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await join(rig, one);
    const { networkId } = await rig.network();
    await two.sync();
    await pass(45, all, two);

    one.bootId = "boot-2";
    one.inventory = [networkId, "00000000-0000-4000-8000-000000000000"];
    const hello = await join(rig, one);

    assert.equal(hello.mode, "snapshot");
    assert.deepEqual(
      hello.items.map(({ op, kind, id }) => [op, kind, id]),
      one.inventory.map((id) => ["delete", "network", id]),
    );
    two.inventory = [networkId];
    assert.ok((await two.sync()).items.every(({ op }) => op === "upsert"));
  });

  test("more than half of the agents silent at once: nothing moves, one warning; when they are back, moves go on", async () => {
    const all = await setUp();
    const { rig, lines } = all;
    const agents = ["node-1", "node-2", "node-3"].map((host) => rig.agent(host));
    const [one, two, three] = agents as [RawAgent, RawAgent, RawAgent];
    const networks: string[] = [];
    for (const agent of agents) {
      await join(rig, agent);
      networks.push((await rig.network()).networkId);
    }
    const said = (level: string): readonly string[] =>
      lines
        .filter((line) => line.level === level && /^(too many|agents are back)/.test(line.message))
        .map((line) => line.message);

    assert.deepEqual(await pass(120, all, three), { outcome: "frozen", moved: 0 });
    assert.deepEqual(said("warn"), ["too many agents are silent, networks stay where they are"]);
    assert.deepEqual(await rig.hostsOf(networks[0] ?? ""), ["node-1"]);

    assert.deepEqual(await pass(5, all, two, three), { outcome: "passed", moved: 1 });
    assert.deepEqual(said("info"), ["agents are back, networks are moved again"]);
    assert.equal(said("warn").length, 1);
    assert.notDeepEqual(await rig.hostsOf(networks[0] ?? ""), ["node-1"]);
    assert.deepEqual(await rig.hostsOf(networks[1] ?? ""), ["node-2"]);
    assert.equal(one.host, "node-1");
  });

  test("DA-226: no living agent, no NATS or a pause of the server: nothing moves", async () => {
    const all = await setUp();
    const { clock, rig } = all;
    await join(rig, rig.agent("node-1"));
    const { networkId } = await rig.network();
    assert.deepEqual(await pass(60, all), { outcome: "passed", moved: 0 });
    const two = rig.agent("node-2");
    await two.sync();

    rig.bus.disconnect();
    assert.equal((await rig.parts.failover.pass()).outcome, "disconnected");
    rig.bus.reconnect();
    assert.equal((await rig.parts.failover.pass()).moved, 0);
    await clock.advance(25_000);
    assert.equal((await rig.parts.failover.pass()).outcome, "paused");
    assert.equal((await pass(35, all, two)).moved, 0);

    assert.deepEqual(await rig.hostsOf(networkId), ["node-1"]);
    assert.equal((await pass(10, all, two)).moved, 1);
    assert.deepEqual(await rig.hostsOf(networkId), ["node-2"]);
  });

  test("DA-226: networks are moved at the agreed rate, and one that cannot be moved holds up no other", async () => {
    const all = await setUp({ failover: { failoverMovesPerSecond: 1 } });
    const { rig, lines } = all;
    const one = rig.agent("node-1");
    one.availabilityZone = "east";
    const two = rig.agent("node-2");
    await join(rig, one);
    const rooted = await rig.network({}, { availability_zone_hints: ["east"] });
    const networks: string[] = [];
    for (let n = 0; n < 6; n += 1) networks.push((await rig.network()).networkId);
    await two.sync();

    assert.equal((await pass(35, all, two)).moved, 0);
    const moved: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      await all.clock.advance(5000);
      await two.sync({ epoch: "", since: 1 });
      moved.push((await rig.parts.failover.pass()).moved);
    }

    // Five attempts a pass, one of them in vain: of its zone there is no other agent.
    assert.equal(
      moved.reduce((sum, count) => sum + count),
      6,
    );
    assert.ok(Math.max(...moved) <= 5 && (moved[0] ?? 0) >= 4, moved.join());
    for (const networkId of networks) assert.deepEqual(await rig.hostsOf(networkId), ["node-2"]);
    assert.deepEqual(await rig.hostsOf(rooted.networkId), ["node-1"]);
    assert.deepEqual(
      lines.filter(({ level }) => level === "error"),
      [],
    );
  });

  test("DA-226: a network that was unbound by somebody else meanwhile is left alone", async () => {
    const all = await setUp();
    const { rig } = all;
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await join(rig, one);
    const first = await rig.network();
    const second = await rig.network();
    await two.sync();
    const dead = idOf(await rig.agentOf("node-1"));
    await pass(35, all, two);
    await all.clock.advance(5000);
    await two.sync({ epoch: "", since: 1 });

    await Promise.allSettled([
      rig.parts.failover.pass(),
      rig.parts.services.agents.removeNetwork(admin, dead, first.networkId),
      rig.parts.services.agents.removeNetwork(admin, dead, second.networkId),
    ]);
    await rig.parts.failover.pass();

    for (const { networkId } of [first, second]) assert.deepEqual(await rig.hostsOf(networkId), ["node-2"]);
  });

  test("with the last agent that another one stands beside nothing is won by a move, and nothing is moved", async () => {
    const all = await setUp({ agentsPerNetwork: 2 });
    const { rig } = all;
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await join(rig, one);
    await two.sync();
    const { networkId } = await rig.network();

    assert.deepEqual(await pass(60, all, two), { outcome: "passed", moved: 0 });

    assert.deepEqual(await rig.hostsOf(networkId), ["node-1", "node-2"]);
    const alive = [(await rig.agentOf("node-1"))["alive"], (await rig.agentOf("node-2"))["alive"]];
    assert.deepEqual(alive, [false, true]);
  });

  test("of two servers one moves networks, and the other takes over when the first has let go", async () => {
    const url = await freshUrl();
    const clock = new FakeClock();
    for (let n = 0; n < 2; n += 1) stores.push(await openStore(url, silentLogger));
    const [firstStore, secondStore] = stores as [Store, Store];
    const first = await ServerRig.start(firstStore, { clock });
    const second = await ServerRig.start(secondStore, { clock, hub: first.hub });
    rigs.push(second);
    const [one, two] = [first.agent("node-1"), first.agent("node-2")];
    await join(first, one);
    const { networkId } = await first.network();
    await two.sync();
    const liveAndPass = async (rig: ServerRig) => {
      await clock.advance(5000);
      // Not a beat, which may still be under way when the look comes.
      await two.sync({ epoch: "", since: 1 });
      return rig.parts.failover.pass();
    };

    assert.equal((await liveAndPass(first)).outcome, "passed");
    assert.equal((await liveAndPass(second)).outcome, "not-the-leader");
    await first.parts.close();
    await first.bus.close();
    for (let n = 0; n < 9; n += 1) assert.equal((await liveAndPass(second)).outcome, "passed");

    assert.deepEqual(await second.hostsOf(networkId), ["node-2"]);
  });

  test("a job's lease has one holder, can be prolonged, and is free when its time is over", async () => {
    const store = await openFresh();
    const take = (holder: string, nowMs: number) => takeJobLease(store.db, { name: "a job", holder }, { nowMs, forMs: 1000 });

    const taken = await Promise.all(["a", "b", "c"].map((holder) => take(holder, 10_000)));
    assert.equal(taken.filter(Boolean).length, 1);
    const holder = ["a", "b", "c"][taken.indexOf(true)] ?? "";
    const other = holder === "a" ? "b" : "a";

    assert.equal(await take(other, 10_999), false);
    assert.equal(await take(holder, 10_999), true);
    assert.equal(await take(other, 11_500), false);
    assert.equal(await take(other, 12_000), true);
    assert.equal(await take(holder, 12_001), false);
  });
});
