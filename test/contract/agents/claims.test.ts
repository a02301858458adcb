import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { claimPortReplySchema } from "../../../src/types/agent-messages.ts";
import type { Port } from "../../../src/model/network.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { admin, everything, idOf } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

async function claim(agent: RawAgent, networkId: string, subnetIds: readonly string[]): Promise<Port | null> {
  return claimPortReplySchema.parse(await agent.call("claimDhcpPort", { networkId, subnetIds })).port;
}

async function claimed(agent: RawAgent, networkId: string, subnetIds: readonly string[]): Promise<Port> {
  const port = await claim(agent, networkId, subnetIds);
  assert.ok(port !== null, "the claim was answered with nothing");
  return port;
}

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

  test("a claim makes one active port with an address on each subnet, and tells the stream", async () => {
    const rig = await start();
    const agent = rig.agent("node-1.example");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const second = await rig.subnet(networkId, { cidr: "10.1.0.0/24" });

    const port = await claimed(agent, networkId, [subnetId, second]);

    assert.deepEqual(port.fixedIps.map((ip) => ip.subnetId).toSorted(), [subnetId, second].toSorted());
    const shown = await rig.showPort(port.id);
    assert.equal(shown["status"], "ACTIVE");
    assert.equal(shown["device_owner"], "network:dhcp");
    assert.equal(shown["binding:host_id"], "node-1.example");
    assert.match(String(shown["device_id"]), new RegExp(`^dhcp[0-9a-f-]{36}-${networkId}$`));
    await waitFor(() => agent.items.some(({ id }) => id === port.id), { limitMs: 10_000, what: "the port's event" });
  });

  test("claims are idempotent, also when they come at the same moment", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();

    const ports = await Promise.all([1, 2, 3].map(() => claimed(agent, networkId, [subnetId])));
    const again = await claimed(agent, networkId, [subnetId]);

    for (const port of ports) assert.deepEqual(port, again);
    assert.equal((await rig.parts.services.ports.list(admin, everything)).length, 1);
  });

  test("a claim adds and removes addresses and keeps those that stay", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const before = await claimed(agent, networkId, [subnetId]);
    const second = await rig.subnet(networkId, { cidr: "10.1.0.0/24" });

    const both = await claimed(agent, networkId, [subnetId, second]);
    const one = await claimed(agent, networkId, [second]);

    assert.equal(both.id, before.id);
    assert.equal(both.fixedIps.length, 2);
    assert.ok(both.fixedIps.some(({ ipAddress }) => ipAddress === before.fixedIps[0]?.ipAddress));
    assert.deepEqual(
      one.fixedIps,
      both.fixedIps.filter((ip) => ip.subnetId === second),
    );
  });

  test("hosts with the same name up to the first dot have a port each, and give back their own only", async () => {
    const rig = await start({ agentsPerNetwork: 2 });
    const [one, two] = [rig.agent("node.a.example"), rig.agent("node.b.example")];
    await one.sync();
    await two.sync();
    const { networkId, subnetId } = await rig.network();

    const [first, second] = [await claimed(one, networkId, [subnetId]), await claimed(two, networkId, [subnetId])];

    assert.notEqual(first.id, second.id);
    assert.notDeepEqual(first.fixedIps, second.fixedIps);
    assert.equal((await claimed(one, networkId, [subnetId])).id, first.id);
    assert.equal((await claimed(two, networkId, [subnetId])).id, second.id);
    await one.call("releaseDhcpPort", { networkId });
    const left = await rig.parts.services.ports.list(admin, everything);
    assert.deepEqual(
      left.map(({ id }) => id),
      [second.id],
    );
    const again = await claimed(one, networkId, [subnetId]);
    await rig.parts.services.agents.removeNetwork(admin, String((await rig.agentOf("node.b.example"))["id"]), networkId);
    assert.equal((await rig.showPort(second.id))["device_id"], "reserved_dhcp_port");
    assert.equal((await rig.showPort(again.id))["binding:host_id"], "node.a.example");
  });

  test("DA-190: a host that is named by its full name from now on keeps its port, as does one whose port was bound away", async () => {
    const rig = await start();
    const agent = rig.agent("node-1.example");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const before = await claimed(agent, networkId, [subnetId]);

    for (const host of ["node-1", "", "somewhere"]) {
      await rig.store.db.updateTable("ports").set({ binding_host_id: host }).where("id", "=", before.id).execute();
      const after = await claimed(agent, networkId, [subnetId]);
      assert.deepEqual([after.id, after.fixedIps, after.bindingHost], [before.id, before.fixedIps, "node-1.example"]);
    }
  });

  test("DA-212: a subnet that is gone or without DHCP, and a network that is gone, are answered with nothing", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const silent = await rig.subnet(networkId, { cidr: "10.1.0.0/24", enable_dhcp: false });
    const nowhere = "00000000-0000-4000-8000-000000000000";

    assert.equal(await claim(agent, networkId, [subnetId, nowhere]), null);
    assert.equal(await claim(agent, networkId, [silent]), null);
    assert.equal(await claim(agent, nowhere, []), null);
    assert.deepEqual(await rig.parts.services.ports.list(admin, everything), []);
  });

  test("DA-213: an agent gets no port on a network that another one hosts", async () => {
    const rig = await start();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId, subnetId } = await rig.network();
    await two.sync();

    await assert.rejects(claim(two, networkId, [subnetId]), { code: "FORBIDDEN" });
    assert.deepEqual((await two.call("getNetworkInfo", { networkId })) as unknown, { items: [] });
    assert.deepEqual(await rig.parts.services.ports.list(admin, everything), []);
  });

  test("DA-212: a network without a free address is a conflict", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network({ cidr: "10.0.0.0/30" });
    await rig.port(networkId);

    await assert.rejects(claim(agent, networkId, [subnetId]), { code: "CONFLICT" });
  });

  test("a subnet without a free address costs only itself, also on a port that another host left", async () => {
    const rig = await start({ agentsPerNetwork: 1 });
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId: full } = await rig.network({ cidr: "10.0.0.0/30" });
    await rig.port(networkId);
    const second = await rig.subnet(networkId, { cidr: "10.1.0.0/24" });

    const first = claimPortReplySchema.parse(await agent.call("claimDhcpPort", { networkId, subnetIds: [full, second] }));

    assert.deepEqual(first.fullSubnetIds, [full]);
    assert.deepEqual(
      first.port?.fixedIps.map((ip) => ip.subnetId),
      [second],
    );
    const successor = rig.agent("node-2");
    await successor.sync();
    await rig.parts.services.agents.removeNetwork(admin, idOf(await rig.agentOf("node-1")), networkId);
    await rig.parts.services.agents.addNetwork(admin, idOf(await rig.agentOf("node-2")), networkId);
    const next = claimPortReplySchema.parse(await successor.call("claimDhcpPort", { networkId, subnetIds: [full, second] }));
    assert.deepEqual([next.port?.id, next.port?.fixedIps], [first.port?.id, first.port?.fixedIps]);
  });

  test("DA-214: a released port is gone, and releasing again is no error", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    await claimed(agent, networkId, [subnetId]);

    await agent.call("releaseDhcpPort", { networkId });
    await agent.call("releaseDhcpPort", { networkId });

    assert.deepEqual(await rig.parts.services.ports.list(admin, everything), []);
  });

  test("a network that moves by hand takes its DHCP address along; the old host hears that it is gone", async () => {
    const rig = await start();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    const { networkId, subnetId } = await rig.network();
    await two.sync();
    const before = await claimed(one, networkId, [subnetId]);
    const agents = await rig.parts.services.agents.list(admin, everything);
    const idOfHost = (host: string): string => idOf(agents.find((agent) => agent["host"] === host) ?? {});

    await rig.parts.services.agents.removeNetwork(admin, idOfHost("node-1"), networkId);
    assert.equal((await rig.showPort(before.id))["device_id"], "reserved_dhcp_port");
    await rig.parts.services.agents.addNetwork(admin, idOfHost("node-2"), networkId);
    const after = await claimed(two, networkId, [subnetId]);

    assert.equal(after.id, before.id);
    assert.deepEqual(after.fixedIps, before.fixedIps);
    assert.equal(after.bindingHost, "node-2");
    const isGone = (): boolean => one.items.some(({ op, id }) => op === "delete" && id === networkId);
    await waitFor(isGone, { limitMs: 10_000, what: "the network's delete on the old host" });
    await waitFor(() => two.items.some(({ id }) => id === networkId), { limitMs: 10_000, what: "the network on the new host" });
  });

  test("DA-213: two agents of one network never get each other's port, and of one that is reserved only one gets it", async () => {
    const rig = await start({ agentsPerNetwork: 2 });
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    await two.sync();
    const { networkId, subnetId } = await rig.network();
    const reserved = idOf(await rig.port(networkId, { device_owner: "network:dhcp", device_id: "reserved_dhcp_port" }));

    const ports = await Promise.all([one, two].map((agent) => claimed(agent, networkId, [subnetId])));

    assert.equal(new Set(ports.map(({ id }) => id)).size, 2);
    assert.equal(ports.filter(({ id }) => id === reserved).length, 1);
    assert.deepEqual(ports.map(({ bindingHost }) => bindingHost).toSorted(), ["node-1", "node-2"]);
    await two.call("releaseDhcpPort", { networkId });
    assert.deepEqual(await claimed(one, networkId, [subnetId]), ports[0]);
  });

  test("DA-213: a port that was deleted under its agent is made anew by the next claim", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const before = await claimed(agent, networkId, [subnetId]);

    const [, port] = await Promise.all([
      rig.parts.services.ports.remove(admin, before.id),
      claimed(agent, networkId, [subnetId]),
    ]);
    const after = await claimed(agent, networkId, [subnetId]);

    assert.ok(port.id === before.id || port.id === after.id);
    assert.equal((await rig.showPort(after.id))["device_id"], after.deviceId);
    assert.equal((await rig.parts.services.ports.list(admin, everything)).length, 1);
  });

  test("DA-227: a network is taken from an agent while its DHCP port is deleted, in whatever order", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const id = idOf(await rig.agentOf("node-1"));
    for (let n = 0; n < 5; n += 1) {
      const { networkId, subnetId } = await rig.network();
      const port = await claimed(agent, networkId, [subnetId]);

      await Promise.all([
        rig.parts.services.agents.removeNetwork(admin, id, networkId),
        rig.parts.services.ports.remove(admin, port.id),
      ]);

      assert.deepEqual(await rig.hostsOf(networkId), []);
    }
    assert.deepEqual(await rig.parts.services.ports.list(admin, everything), []);
  });

  test("DA-232: a subnet can be deleted right after the last instance, though the agent claims its port all the time", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    for (let n = 0; n < 3; n += 1) {
      const { networkId, subnetId } = await rig.network();
      const keep = await rig.subnet(networkId, { cidr: "10.9.0.0/24" });
      await claimed(agent, networkId, [subnetId, keep]);
      const instance = idOf(await rig.port(networkId, { fixed_ips: [{ subnet_id: subnetId }] }));
      let isGone = false;
      const busy = (async (): Promise<Port | null> => {
        let last: Port | null = null;
        while (!isGone) last = await claim(agent, networkId, [subnetId, keep]);
        return last;
      })();

      await rig.parts.services.ports.remove(admin, instance);
      await rig.parts.services.subnets.remove(admin, subnetId);
      isGone = true;
      await busy;

      assert.equal(await claim(agent, networkId, [subnetId, keep]), null);
      const port = await claimed(agent, networkId, [keep]);
      assert.deepEqual(
        port.fixedIps.map((ip) => ip.subnetId),
        [keep],
      );
    }
  });
});
