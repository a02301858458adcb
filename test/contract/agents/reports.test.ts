import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { type LogLine, recordingLogger } from "../../helpers/agent-rig.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { addressesOf, admin, everything, idOf } from "../../helpers/network-services.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const limit = { limitMs: 10_000 };

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  const start = async (): Promise<ServerRig> => {
    const rig = await ServerRig.start(await openFresh());
    rigs.push(rig);
    return rig;
  };
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
  });

  test("DA-214: a port that its agent serves becomes ACTIVE; another agent's word for it does nothing", async () => {
    const rig = await start();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId } = await rig.network();
    await two.sync();
    const port = await rig.port(networkId);
    const report = { readyPorts: [{ id: idOf(port), revision: 1 }] };

    await two.report(report);
    assert.equal((await rig.showPort(idOf(port)))["status"], "DOWN");
    await one.report(report);

    assert.equal((await rig.showPort(idOf(port)))["status"], "ACTIVE");
  });

  test("leases are stored with their port, changed by newer words only, and removed", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();
    const port = await rig.port(networkId);
    const [ipAddress] = addressesOf(port);
    const lease = { event: "add", networkId, ipAddress, macAddress: port["mac_address"], hostname: "web" };
    const list = () => rig.parts.services.leases.list(admin, everything);

    await agent.report({ leases: [{ ...lease, expiresAtMs: 2_000_000_000_000, observedAtMs: 1_000_000 }] });
    const [stored] = await list();
    assert.deepEqual(stored, {
      id: `${networkId}_${ipAddress}`,
      network_id: networkId,
      ip_address: ipAddress,
      port_id: idOf(port),
      mac_address: port["mac_address"],
      hostname: "web",
      expires_at: "2033-05-18T03:33:20Z",
      last_seen_at: "1970-01-01T00:16:40.000Z",
      host: "node-1",
    });
    assert.deepEqual(await rig.parts.services.leases.show(admin, `${networkId}_${ipAddress}`), stored);

    const late = { ...lease, event: "old", hostname: "earlier", expiresAtMs: null, observedAtMs: 999_999 };
    const newer = { ...lease, event: "old", hostname: "later", expiresAtMs: null, observedAtMs: 1_000_001 };
    await agent.report({ leases: [late] });
    assert.equal((await list())[0]?.["hostname"], "web");
    await agent.report({ leases: [newer, late] });
    assert.equal((await list())[0]?.["hostname"], "later");
    assert.equal((await list())[0]?.["expires_at"], null);

    await agent.report({ leases: [{ ...late, event: "del" }] });
    assert.equal((await list()).length, 1);
    await agent.report({ leases: [{ ...newer, event: "del", observedAtMs: 1_000_002 }] });
    assert.deepEqual(await list(), []);
  });

  test("what happened to an agent's DHCP servers is logged and told outside; another agent's word for it is not", async () => {
    const lines: LogLine[] = [];
    const rig = await ServerRig.start(await openFresh(), { log: recordingLogger(lines) });
    rigs.push(rig);
    const told: unknown[] = [];
    rig.hub.connect().subscribe("nl.notify.>", ({ subject, data }) => void told.push([subject, data]));
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId } = await rig.network();
    await two.sync();
    const died = { kind: "dhcp-server-died", networkId, atMs: 1_000_000 };
    const givenUp = { ...died, kind: "dhcp-server-given-up" };

    await two.report({ events: [died] });
    await one.report({ events: [died, givenUp] });
    await waitFor(() => told.length >= 2, { ...limit, what: "the notifications" });

    const { id } = await rig.agentOf("node-1");
    const common = { agent_id: id, host: "node-1", network_id: networkId, at: "1970-01-01T00:16:40Z" };
    assert.deepEqual(told, [
      ["nl.notify.agent.dhcp-server-died", { events: [{ event: "dhcp-server-died", ...common }] }],
      ["nl.notify.agent.dhcp-server-given-up", { events: [{ event: "dhcp-server-given-up", ...common }] }],
    ]);
    assert.deepEqual(
      lines
        .filter(({ message }) => message === "agent reported an event")
        .map((line) => [line.level, line["host"], line["networkId"], line["outcome"]]),
      [
        ["warn", "node-1", networkId, "dhcp-server-died"],
        ["warn", "node-1", networkId, "dhcp-server-given-up"],
      ],
    );
  });

  test("leases of a network that another host serves, and of one that is gone, are dropped without an error", async () => {
    const rig = await start();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId } = await rig.network();
    await two.sync();
    const nowhere = "00000000-0000-4000-8000-000000000000";
    const lease = { event: "add", ipAddress: "10.0.0.9", macAddress: null, hostname: null, expiresAtMs: null, observedAtMs: 1 };

    await two.report({
      leases: [
        { ...lease, networkId },
        { ...lease, networkId: nowhere },
      ],
    });

    assert.deepEqual(await rig.parts.services.leases.list(admin, everything), []);
  });

  test("DA-019: an agent that is behind for long is told to sync, one that is up to date or on its way is not", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const { epoch } = await agent.sync();
    const { networkId } = await rig.network();
    await rig.port(networkId);
    await waitFor(() => agent.messages.at(-1)?.seq === 3, { ...limit, what: "all events" });

    agent.beat({ epoch, seq: 3 });
    agent.beat({ epoch, seq: 1 });
    agent.beat({ epoch: "", seq: 0 }, "syncing");
    // Beats are judged in their order: when this one has its answer, those before it have had theirs.
    const marker = rig.agent("node-2");
    marker.beat({ epoch: "another", seq: 0 });
    await waitFor(() => marker.controls.length > 0, { ...limit, what: "the other agent's control message" });
    assert.deepEqual(agent.controls, []);
    await rig.store.db.updateTable("outbox").set({ created_at: "2020-01-01T00:00:00.000Z" }).execute();
    agent.beat({ epoch, seq: 1 });
    await waitFor(() => agent.controls.length > 0, { ...limit, what: "a control message" });
    agent.beat({ epoch: "another", seq: 3 });
    await waitFor(() => agent.controls.length > 1, { ...limit, what: "a second control message" });

    assert.deepEqual(agent.controls, [
      { action: "resync", reason: "seen 1 of 3" },
      { action: "resync", reason: "another epoch" },
    ]);
  });

  test("an agent that was removed registers again with its next heartbeat and gets its networks back", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    const { epoch } = await agent.sync();
    const { networkId } = await rig.network();
    const [known] = await rig.parts.services.agents.list(admin, everything);

    await rig.parts.services.agents.remove(admin, idOf(known ?? {}));
    await waitFor(() => agent.items.some(({ op }) => op === "delete"), { ...limit, what: "the delete of the network" });
    // A new process: a known one is only written every few seconds.
    agent.bootId = "another boot";
    agent.beat({ epoch, seq: agent.messages.at(-1)?.seq ?? 0 });
    await waitFor(() => agent.controls.length > 0, { ...limit, what: "the call to sync" });
    await agent.sync();

    const networks = await rig.parts.services.agents.listForNetwork(admin, networkId);
    assert.deepEqual(
      networks.map((one) => one["host"]),
      ["node-1"],
    );
    assert.notEqual(idOf(networks[0] ?? {}), idOf(known ?? {}));
  });

  test("DA-210: an agent that is switched off loses its networks in the stream and in snapshots, and gets them back", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();
    const [known] = await rig.parts.services.agents.list(admin, everything);
    const switchTo = (isUp: boolean) => rig.parts.services.agents.update(admin, idOf(known ?? {}), { admin_state_up: isUp });

    const off = await switchTo(false);
    await rig.port(networkId);
    const snapshot = await agent.sync();
    await switchTo(true);
    await waitFor(() => agent.controls.length === 2, { ...limit, what: "both control messages" });
    await waitFor(() => agent.items.length === 6, { ...limit, what: "the network's return" });

    assert.equal(off["admin_state_up"], false);
    assert.deepEqual(snapshot.items, []);
    assert.deepEqual(
      agent.items.map(({ op, kind }) => `${op} ${kind}`),
      ["upsert network", "upsert subnet", "delete network", "upsert network", "upsert subnet", "upsert port"],
    );
    assert.ok(agent.controls.every(({ action }) => action === "agent-updated"));
  });

  test("DA-227: what administrators may not do with agents says so", async () => {
    const rig = await start();
    await rig.agent("node-1").sync();
    const { networkId } = await rig.network();
    const [agent] = await rig.parts.services.agents.list(admin, everything);
    const { agents } = rig.parts.services;
    const id = idOf(agent ?? {});
    const nowhere = "00000000-0000-4000-8000-000000000000";

    await assert.rejects(agents.show(admin, nowhere), { type: "AgentNotFound" });
    await assert.rejects(agents.addNetwork(admin, id, networkId), { type: "NetworkHostedByDHCPAgent" });
    await assert.rejects(agents.addNetwork(admin, nowhere, networkId), { type: "InvalidDHCPAgent" });
    await assert.rejects(agents.addNetwork(admin, id, nowhere), { type: "NetworkNotFound" });
    await agents.removeNetwork(admin, id, networkId);
    await assert.rejects(agents.removeNetwork(admin, id, networkId), { type: "NetworkNotHostedByDhcpAgent" });
    await agents.update(admin, id, { admin_state_up: false });
    await assert.rejects(agents.addNetwork(admin, id, networkId), { type: "InvalidDHCPAgent" });
  });
});
