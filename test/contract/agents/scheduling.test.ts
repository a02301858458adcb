import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { type LogLine, recordingLogger } from "../../helpers/agent-rig.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { addressesOf, admin, createOne, idOf } from "../../helpers/network-services.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const limit = { limitMs: 10_000 };

forEachDatabase((_name, openFresh, freshUrl) => {
  const rigs: ServerRig[] = [];
  const stores: Store[] = [];
  const start = async (options: Parameters<typeof ServerRig.start>[1] = {}): Promise<ServerRig> => {
    const rig = await ServerRig.start(await openFresh(), options);
    rigs.push(rig);
    return rig;
  };
  /** Two API servers on one database, which hear the same agents. */
  const startTwo = async (options: Parameters<typeof ServerRig.start>[1] = {}): Promise<readonly [ServerRig, ServerRig]> => {
    const url = await freshUrl();
    const open = async (): Promise<Store> => {
      const store = await openStore(url, silentLogger);
      stores.push(store);
      return store;
    };
    const first = await ServerRig.start(await open(), options);
    const second = await ServerRig.start(await open(), { ...options, hub: first.hub });
    rigs.push(first, second);
    return [first, second];
  };
  const bareNetwork = async (rig: ServerRig, body = {}): Promise<string> =>
    idOf(await createOne(rig.parts.services.networks, body));

  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  test("DA-216: a network is given to an agent with its first subnet or its next port, not when it is made", async () => {
    const rig = await start();
    const early = await bareNetwork(rig);
    await rig.subnet(early);
    const agent = rig.agent("node-1");
    const { epoch } = await agent.sync();
    assert.deepEqual(await rig.hostsOf(early), ["node-1"]);
    await rig.parts.services.agents.removeNetwork(admin, idOf(await rig.agentOf("node-1")), early);

    const late = await bareNetwork(rig);
    assert.deepEqual(await rig.hostsOf(late), []);
    await rig.subnet(late, { enable_dhcp: false });
    assert.deepEqual(await rig.hostsOf(late), []);
    await rig.subnet(late, { cidr: "10.1.0.0/24" });
    assert.deepEqual(await rig.hostsOf(late), ["node-1"]);

    await rig.port(early, { device_owner: "network:dhcp", device_id: "reserved_dhcp_port" });
    assert.deepEqual(await rig.hostsOf(early), []);
    await rig.port(early);
    assert.deepEqual(await rig.hostsOf(early), ["node-1"]);
    assert.notEqual(epoch, "");
  });

  test("DA-222: two servers that schedule one network at the same moment bind it exactly as often as asked", async () => {
    const [first, second] = await startTwo({ agentsPerNetwork: 2 });
    for (const host of ["node-1", "node-2", "node-3", "node-4"]) await first.agent(host).sync();
    // Both heard all of them: by their syncs or from the database.
    const networks = await Promise.all([1, 2, 3].map(() => bareNetwork(first)));

    await Promise.all(
      networks.flatMap((networkId) =>
        [first, second].map((rig, n) => rig.subnet(networkId, { cidr: `10.0.${n}.0/24` }).then(() => rig.port(networkId))),
      ),
    );

    for (const networkId of networks) assert.equal((await first.hostsOf(networkId)).length, 2);
    const rows = await first.store.db.selectFrom("network_dhcp_agents").selectAll().execute();
    assert.deepEqual(
      rows.map(({ slot }) => slot).toSorted((one, other) => one - other),
      [0, 0, 0, 1, 1, 1],
    );
  });

  test("DA-231: four subnets made at once through two servers leave the network with one agent", async () => {
    const [first, second] = await startTwo();
    for (const host of ["node-1", "node-2", "node-3"]) await first.agent(host).sync();
    const networkId = await bareNetwork(first);

    await Promise.all([1, 2, 3, 4].map((n) => (n % 2 === 0 ? first : second).subnet(networkId, { cidr: `10.0.${n}.0/24` })));

    assert.equal((await first.hostsOf(networkId)).length, 1);
  });

  test("DA-224: an agent that comes gets what has too few hosts: not more, not foreign zones', not without DHCP", async () => {
    const rig = await start({ agentsPerNetwork: 2, defaultAvailabilityZones: ["east"] });
    const one = rig.agent("node-1");
    one.availabilityZone = "east";
    await one.sync();
    const usual = await rig.network();
    const western = await rig.network({}, { availability_zone_hints: ["west"] });
    const silent = await rig.network({ enable_dhcp: false });
    assert.deepEqual(await rig.hostsOf(usual.networkId), ["node-1"]);

    const west = rig.agent("node-w");
    west.availabilityZone = "west";
    const hello = await west.sync();
    assert.deepEqual(
      hello.items.filter(({ kind }) => kind === "network").map(({ id }) => id),
      [western.networkId],
    );
    const two = rig.agent("node-2");
    two.availabilityZone = "east";
    await two.sync();
    const three = rig.agent("node-3");
    three.availabilityZone = "east";
    await three.sync();

    assert.deepEqual(await rig.hostsOf(usual.networkId), ["node-1", "node-2"]);
    assert.deepEqual(await rig.hostsOf(western.networkId), ["node-w"]);
    assert.deepEqual(await rig.hostsOf(silent.networkId), []);
  });

  test("DA-224: an agent that is switched off gets nothing, neither at its sync nor by a new subnet", async () => {
    const rig = await start({ enableNewAgents: false });
    const agent = rig.agent("node-1");
    const { networkId } = await rig.network();

    assert.deepEqual((await agent.sync()).items, []);
    assert.equal((await rig.agentOf("node-1"))["admin_state_up"], false);
    assert.deepEqual(await rig.hostsOf(networkId), []);
    await rig.parts.services.agents.update(admin, idOf(await rig.agentOf("node-1")), { admin_state_up: true });
    await agent.sync();

    assert.deepEqual(await rig.hostsOf(networkId), ["node-1"]);
  });

  test("DA-224: more networks than an agent is made to wait for are all given out in the end", async () => {
    const rig = await start();
    const bodies = Array.from({ length: 120 }, () => ({}));
    const networks = await rig.parts.services.networks.create(admin, bodies);
    await rig.parts.services.subnets.create(
      admin,
      networks.map((network) => ({ network_id: idOf(network), ip_version: 4, cidr: "10.0.0.0/24", enable_dhcp: true })),
    );
    const agent = rig.agent("node-1");

    await agent.sync();
    const bound = async (): Promise<number> =>
      (await rig.store.db.selectFrom("network_dhcp_agents").select("slot").execute()).length;
    const first = await bound();
    await rig.parts.failover.pass();

    assert.equal(first, 100);
    assert.equal(await bound(), 120);
  });

  test("DA-228: an agent that is switched off keeps what it serves only where that is configured", async () => {
    for (const servicesOnDisabledAgents of [false, true]) {
      const rig = await start({ servicesOnDisabledAgents });
      const agent = rig.agent("node-1");
      const { epoch, seq } = await agent.sync();
      const { networkId } = await rig.network();
      const id = idOf(await rig.agentOf("node-1"));
      const other = await bareNetwork(rig);

      await rig.parts.services.agents.update(admin, id, { admin_state_up: false });
      const port = await rig.port(networkId);
      await rig.subnet(other);
      const byHand = rig.parts.services.agents.addNetwork(admin, id, other);
      if (servicesOnDisabledAgents) await byHand;
      else await assert.rejects(byHand, { type: "InvalidDHCPAgent" });

      const items = (await agent.sync({ epoch, since: seq })).items.map(({ id: one }) => one);
      const snapshot = (await agent.sync()).items.map(({ id: one }) => one);
      const asked = (await agent.call("getNetworkInfo", { networkId })) as { readonly items: readonly unknown[] };
      assert.equal(items.includes(idOf(port)), servicesOnDisabledAgents);
      assert.equal(snapshot.includes(idOf(port)), servicesOnDisabledAgents);
      assert.equal(snapshot.includes(other), servicesOnDisabledAgents);
      assert.equal(asked.items.length > 0, servicesOnDisabledAgents);
    }
  });

  test("DA-219: silent agents are told all the same, with one warning; ports that nobody can serve are an error", async () => {
    const lines: LogLine[] = [];
    const clock = new FakeClock();
    const rig = await start({ clock, log: recordingLogger(lines) });
    const said = (level: string): readonly unknown[] =>
      lines.filter((line) => line.level === level).map(({ networkId, message }) => [networkId, message]);
    const lonely = await bareNetwork(rig);
    await rig.subnet(lonely);
    assert.deepEqual(said("error"), []);
    const bare = await bareNetwork(rig);
    await rig.port(bare);
    assert.deepEqual(said("error"), []);
    await rig.port(lonely);
    await rig.port(lonely);
    assert.deepEqual(said("error"), [[lonely, "no agent can serve a network with ports"]]);

    const agent = rig.agent("node-1");
    await agent.sync();
    await clock.advance(25_000);
    const port = await rig.port(lonely);
    await rig.port(lonely);

    await waitFor(() => agent.items.some(({ id }) => id === idOf(port)), { ...limit, what: "the event for a silent agent" });
    assert.deepEqual(said("warn"), [[lonely, "all agents of a network are silent"]]);
  });

  test("DA-217: each hosting agent is sent a copy of its own, and none is preferred", async () => {
    const rig = await start({ agentsPerNetwork: 2 });
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    await two.sync();
    const { networkId } = await rig.network();
    const port = idOf(await rig.port(networkId));

    await waitFor(() => [one, two].every((agent) => agent.items.some(({ id }) => id === port)), { ...limit, what: "both" });

    assert.deepEqual(one.items, two.items);
    assert.notEqual(one.items[0], two.items[0]);
  });

  test("DA-218: a port's update is told only when something changed that its DHCP server could tell", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();
    const port = idOf(await rig.port(networkId));
    const told = async (changes: object): Promise<boolean> => {
      const head = async (): Promise<number> =>
        (await rig.store.db.selectFrom("streams").select("head").executeTakeFirst())?.head ?? 0;
      const before = await head();
      await rig.parts.services.ports.update(admin, port, { ...changes });
      return (await head()) > before;
    };

    for (const changes of [
      { name: "web" },
      { description: "a server" },
      { allowed_address_pairs: [{ ip_address: "10.0.0.99" }] },
    ])
      assert.equal(await told(changes), false, JSON.stringify(changes));
    for (const changes of [
      { fixed_ips: [{ ip_address: "10.0.0.77" }] },
      { mac_address: "fa:16:3e:00:00:77" },
      { extra_dhcp_opts: [{ opt_name: "mtu", opt_value: "1400", ip_version: 4 }] },
      { dns_name: "web" },
      { device_id: "an-instance" },
      // The port is DOWN until its agent reports it at the new revision.
      { "binding:host_id": "node-9" },
      { "binding:profile": { slot: "1" } },
    ])
      assert.equal(await told(changes), true, JSON.stringify(changes));
  });

  test("DA-215: a port's delete names port, network and the addresses that are free now", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const port = await rig.port(networkId);

    await rig.parts.services.ports.remove(admin, idOf(port));
    const gone = await waitFor(() => agent.items.find(({ op }) => op === "delete"), { ...limit, what: "the delete" });

    assert.deepEqual(gone, {
      ...{ op: "delete", kind: "port", id: idOf(port), networkId, revision: 2 },
      fixedIps: addressesOf(port).map((ipAddress) => ({ subnetId, ipAddress })),
    });
  });

  test("DA-220: a router's port on a network is told to its agents when it comes and when it goes", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();

    const port = idOf(
      await rig.port(networkId, { device_owner: "network:router_interface", fixed_ips: [{ ip_address: "10.0.0.1" }] }),
    );
    await rig.parts.services.ports.remove(admin, port);

    const ops = (): readonly string[] => agent.items.filter(({ id }) => id === port).map(({ op }) => op);
    await waitFor(() => ops().length === 2, { ...limit, what: "both events" });
    assert.deepEqual(ops(), ["upsert", "delete"]);
  });
});
