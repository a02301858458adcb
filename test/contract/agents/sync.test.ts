import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { admin, everything, idOf } from "../../helpers/network-services.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import type { StreamItem } from "../../../src/types/agent-messages.ts";

const described = (items: readonly StreamItem[]): readonly string[] => items.map(({ op, kind, id }) => `${op} ${kind} ${id}`);

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  const start = async (options: Parameters<typeof ServerRig.start>[1] = {}): Promise<ServerRig> => {
    const rig = await ServerRig.start(await openFresh(), options);
    rigs.push(rig);
    return rig;
  };
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
  });

  test("the first sync registers the agent and brings it the networks that nobody serves", async () => {
    const rig = await start();
    const { networkId, subnetId } = await rig.network();
    await rig.network({ enable_dhcp: false });

    const reply = await rig.agent("node-1").sync();

    assert.equal(reply.mode, "snapshot");
    assert.deepEqual(described(reply.items), [`upsert network ${networkId}`, `upsert subnet ${subnetId}`]);
    const [agent] = await rig.parts.services.agents.list(admin, everything);
    assert.equal(agent?.["agent_type"], "DHCP agent");
    assert.equal(agent["host"], "node-1");
    assert.equal(agent["alive"], true);
  });

  test("events carry the whole change to the hosting agent, numbered without a gap, and to nobody else", async () => {
    const rig = await start();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId, subnetId } = await rig.network();
    await two.sync();

    const port = await rig.port(networkId);

    await waitFor(() => one.items.some(({ id }) => id === idOf(port)), { limitMs: 10_000, what: "the port's event" });
    assert.deepEqual(described(one.items), [
      `upsert network ${networkId}`,
      `upsert subnet ${subnetId}`,
      `upsert port ${idOf(port)}`,
    ]);
    let last = 0;
    for (const { prev, seq } of one.messages) {
      assert.equal(prev, last);
      last = seq;
    }
    assert.equal(last, 3);
    assert.deepEqual(two.items, []);
  });

  test("a copy that is a little behind gets only what it missed", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const { networkId } = await rig.network();
    const { epoch, seq } = await agent.sync();
    const port = await rig.port(networkId);
    await rig.parts.services.ports.remove(admin, idOf(port));

    const delta = await agent.sync({ epoch, since: seq });

    assert.equal(delta.mode, "delta");
    assert.equal(delta.seq, seq + 2);
    assert.deepEqual(described(delta.items), [`upsert port ${idOf(port)}`, `delete port ${idOf(port)}`]);
    const nothing = await agent.sync({ epoch, since: delta.seq });
    assert.deepEqual(nothing, { mode: "delta", epoch, seq: delta.seq, items: [] });
  });

  test("another epoch, a position ahead of the stream and pruned rows are answered with a snapshot", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const { networkId } = await rig.network();
    const { epoch, seq } = await agent.sync();
    await rig.port(networkId);
    await rig.port(networkId);

    const modes = [await agent.sync({ epoch: "other", since: seq }), await agent.sync({ epoch, since: seq + 100 })];
    await rig.store.db
      .deleteFrom("outbox")
      .where("seq", "=", seq + 1)
      .execute();
    modes.push(await agent.sync({ epoch, since: seq }));

    assert.deepEqual(
      modes.map(({ mode, items }) => [mode, items.length]),
      Array(3).fill(["snapshot", 4]),
    );
  });

  test("a snapshot comes in pages that together name everything once, though ports come and go meanwhile", async () => {
    const rig = await start({ maxPageBytes: 2000 });
    const agent = rig.agent("node-1");
    const networks = [await rig.network(), await rig.network(), await rig.network()];
    const ports: string[] = [];
    for (const { networkId } of networks) {
      const bodies = Array.from({ length: 5 }, () => ({ network_id: networkId }));
      ports.push(...(await rig.parts.services.ports.create(admin, bodies)).map(idOf));
    }

    const first = await agent.sync();
    const pages = [first];
    for (let next = first.next; next !== undefined; next = pages.at(-1)?.next) {
      if (pages.length === 1) await rig.port(networks[0]?.networkId ?? "");
      pages.push(await agent.sync({ epoch: "", since: 0, cursor: next }));
    }

    assert.ok(pages.length > 3, `only ${pages.length} pages`);
    const ids = pages.flatMap(({ items }) => items.map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length);
    for (const id of [...ports, ...networks.flatMap(({ networkId, subnetId }) => [networkId, subnetId])])
      assert.ok(ids.includes(id));
    assert.ok(pages.every(({ seq, mode }) => seq === first.seq && mode === "snapshot"));
    for (const { items } of pages) assert.ok(JSON.stringify(items).length < 3000);
  });

  test("a snapshot of more ports than are read at once has each of them once, whatever the networks' sizes", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const made: string[] = [];
    for (const count of [240, 0, 240, 240, 510, 1]) {
      const { networkId } = await rig.network();
      await rig.subnet(networkId, { cidr: "10.0.4.0/22" });
      const bodies = Array.from({ length: count }, () => ({ network_id: networkId }));
      if (count > 0) made.push(...(await rig.parts.services.ports.create(admin, bodies)).map(idOf));
    }

    const pages = [await agent.sync()];
    for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next)
      pages.push(await agent.sync({ epoch: "", since: 0, cursor: next }));

    const ports = pages.flatMap(({ items }) => items.filter(({ kind }) => kind === "port").map(({ id }) => id));
    assert.deepEqual(ports.toSorted(), made.toSorted());
  });

  test("DA-223: of two agents the one with fewer networks gets the next", async () => {
    const rig = await start();
    await rig.agent("node-1").sync();
    const networks = [await rig.network()];
    await rig.agent("node-2").sync();
    for (let n = 0; n < 3; n += 1) networks.push(await rig.network());

    const hosts: unknown[] = [];
    for (const { networkId } of networks) {
      const agents = await rig.parts.services.agents.listForNetwork(admin, networkId);
      hosts.push(...agents.map((agent) => agent["host"]));
    }

    assert.equal(hosts.length, 4);
    assert.equal(hosts[0], "node-1");
    assert.equal(hosts[1], "node-2");
    assert.equal(hosts.filter((host) => host === "node-1").length, 2);
  });

  test("DA-222: subnets made at the same moment bind a network to exactly as many agents as it should have", async () => {
    const rig = await start({ agentsPerNetwork: 2 });
    for (const host of ["node-1", "node-2", "node-3"]) await rig.agent(host).sync();
    const networkId = idOf(await rig.parts.services.networks.create(admin, [{}]).then(([network]) => network ?? {}));

    await Promise.all([1, 2, 3, 4].map((n) => rig.subnet(networkId, { cidr: `10.0.${n}.0/24` })));

    assert.equal((await rig.parts.services.agents.listForNetwork(admin, networkId)).length, 2);
  });

  test("a port that is made while its network is bound is in the view or in the stream of the new host", async () => {
    const rig = await start();
    const networks = await Promise.all(Array.from({ length: 4 }, () => rig.network()));
    const agent = rig.agent("node-1");

    const making = networks.flatMap(({ networkId }) => [1, 2, 3].map(() => rig.port(networkId)));
    const [reply] = await Promise.all([agent.sync(), ...making]);
    const delta = await agent.sync({ epoch: reply.epoch, since: reply.seq });

    const known = new Set([...reply.items, ...delta.items].map(({ id }) => id));
    for (const port of await rig.parts.services.ports.list(admin, everything)) assert.ok(known.has(idOf(port)), idOf(port));
  });

  test("what agents ask in another's name, or not in the agreed form, is refused", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const foreign = { agent: { ...agent.description, host: "node-2" }, epoch: "", since: 0 };

    await assert.rejects(agent.call("sync", foreign), { code: "FORBIDDEN" });
    await assert.rejects(agent.call("sync", { nonsense: true }), { code: "INVALID" });
    await assert.rejects(agent.call("claimDhcpPort", { networkId: "../../etc", subnetIds: [] }), { code: "INVALID" });
    assert.equal((await rig.parts.services.agents.list(admin, everything)).length, 1);
  });

  test("DA-210: a snapshot has the ports of each network; an agent that nobody knows is told nothing", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const networks = [await rig.network(), await rig.network()];
    const ports = await Promise.all(networks.flatMap(({ networkId }) => [1, 2].map(() => rig.port(networkId))));

    const { items } = await agent.sync();

    for (const { networkId } of networks) {
      const own = items.filter((item) => item.kind === "port" && item.networkId === networkId).map(({ id }) => id);
      const made = ports.filter((port) => port["network_id"] === networkId).map(idOf);
      assert.deepEqual(own.toSorted(), made.toSorted());
    }
    const stranger = rig.agent("node-2");
    await assert.rejects(stranger.call("getNetworkInfo", { networkId: networks[0]?.networkId }), { code: "UNAVAILABLE" });
  });

  test("DA-211: one network is answered whole, its subnets by id and those without DHCP too; an unknown one with nothing", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const others = [
      await rig.subnet(networkId, { cidr: "10.1.0.0/24", enable_dhcp: false }),
      await rig.subnet(networkId, { cidr: "10.2.0.0/24" }),
    ];
    const port = idOf(await rig.port(networkId));

    const { items } = (await agent.call("getNetworkInfo", { networkId })) as { readonly items: readonly StreamItem[] };
    const unknown = await agent.call("getNetworkInfo", { networkId: "00000000-0000-4000-8000-000000000000" });

    assert.deepEqual(described(items), [
      `upsert network ${networkId}`,
      ...[subnetId, ...others].toSorted().map((id) => `upsert subnet ${id}`),
      `upsert port ${port}`,
    ]);
    assert.deepEqual(unknown, { items: [] });
  });
});
