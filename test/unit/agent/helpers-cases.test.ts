// Enable, refresh and disable: what each does to driver, device, metadata and copy, and what its failures leave behind.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import {
  deleteItem,
  makeNetwork,
  makeSubnet,
  networkItem,
  subnetItem,
  testNetworkId,
  testSubnetId,
} from "../../helpers/agent-items.ts";
import { AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { applies, bareItems, blue, blueItems, removals, servedPorts, startedRig, stateOf } from "../../helpers/agent-scene.ts";

const away = new NetloomError("UNAVAILABLE", "the database is away");
const secondSubnet = subnetItem(makeSubnet(3, blue));
const ipv6Subnet = subnetItem(
  makeSubnet(4, blue, {
    cidr: "2001:db8:4::/64",
    ipVersion: 6,
    gatewayIp: "2001:db8:4::1",
    ipv6AddressMode: "dhcpv6-stateful",
    ipv6RaMode: "dhcpv6-stateful",
  }),
);
const allCalls = (rig: AgentRig): number => rig.driver.calls.length + rig.deviceManager.calls.length + rig.server.claims.length;

describe("the helpers", () => {
  test("DA-029, DA-038, DA-040: do nothing for a network that nobody knows, and do not ask for it again", async () => {
    const rig = await startedRig(...blueItems);
    await rig.advance(1000);
    const before = allCalls(rig);

    await rig.agent.reconcile(testNetworkId(9));
    rig.agent.applyItems([deleteItem(networkItem(makeNetwork(9)))]);
    rig.server.commit([...bareItems(3), ...bareItems(3).map(deleteItem)]);
    await rig.advance(1000);

    assert.equal(allCalls(rig), before);
    assert.equal(rig.metadata.removed.length, 0);
    assert.equal(rig.log("network reconciled").at(-1)?.["outcome"], "absent");
    assert.deepEqual(rig.agent.queueStats, { dirty: 0, oldestDirtyMs: 0, failing: 0 });
    assert.equal(rig.server.syncs.length, 1);
  });

  test("DA-033: repeat what failed because the server does not know the network, and tell it in a word", async () => {
    const rig = new AgentRig();
    rig.server.claimFailures.push(new NetloomError("NOT_FOUND", "no such network here"));
    rig.server.commit(blueItems);
    await rig.start();
    const [line] = rig.log("network not reconciled, will be repeated");
    assert.equal(line?.["err"], "no such network here");

    await rig.advance(1000);

    assert.deepEqual(rig.server.claims, [blue, blue]);
    assert.equal(stateOf(rig), "served");
  });

  test("DA-036: tell the metadata service on which device it answers", async () => {
    const rig = await startedRig(...blueItems);

    const own = rig.host.devices.get(blue);
    assert.ok(own !== undefined);
    assert.equal(rig.metadata.applied.at(-1)?.device.interfaceName, rig.deviceManager.getInterfaceName(own.id));
  });

  test("DA-037: leave driver, device and copy alone when the server does not answer, and ask again", async () => {
    const rig = new AgentRig();
    rig.server.claimFailures.push(away);
    rig.server.commit(blueItems);
    await rig.start();

    assert.deepEqual([...rig.driver.calls, ...rig.deviceManager.calls], []);
    assert.equal(rig.cache.view(blue)?.ports.length, 1);
    assert.equal(rig.log("network not reconciled, will be repeated").length, 1);
    await rig.advance(1000);

    assert.equal(servedPorts(rig).length, 2);
  });

  test("DA-039: leave metadata alone when the driver fails, on one family as on two", async () => {
    for (const items of [blueItems, [...blueItems, ipv6Subnet]]) {
      const rig = new AgentRig();
      rig.driver.broken.add(blue);
      rig.server.commit(items);

      await rig.start();
      await rig.advance(2000);

      assert.ok(applies(rig).length > 1);
      assert.deepEqual([rig.metadata.applied, rig.metadata.removed], [[], []]);
      assert.equal(rig.server.readyPorts.size, 0);
      assert.equal(stateOf(rig), "failing");
    }
  });

  test("DA-041: end metadata, server and device, in this order", async () => {
    const rig = await startedRig(...blueItems);
    const order: string[] = [];
    rig.metadata.onRemove = () => order.push(rig.host.running.has(blue) ? "metadata before the server" : "metadata too late");
    rig.driver.calls.splice(0);

    rig.server.commit([deleteItem(networkItem(makeNetwork(1)))]);
    await turnLoop();

    assert.deepEqual(order, ["metadata before the server"]);
    assert.deepEqual(
      [...rig.driver.calls, ...rig.deviceManager.calls.slice(-1)].map(({ verb }) => verb),
      ["remove", "destroy"],
    );
    assert.equal(rig.cache.view(blue), undefined);
    assert.equal(stateOf(rig), undefined);
  });

  test("DA-041: try again when the server does not end, though nothing tells of the network any more", async () => {
    const rig = await startedRig(...blueItems);
    rig.driver.removeFailures.push(new Error("it does not end"));
    rig.server.commit([deleteItem(networkItem(makeNetwork(1)))]);
    await turnLoop();
    assert.ok(rig.host.running.has(blue) && rig.host.devices.has(blue));
    assert.equal(rig.agent.queueStats.failing, 1);

    await rig.advance(1000);

    assert.deepEqual(removals(rig), [blue, blue]);
    assert.equal(rig.host.running.size + rig.host.devices.size, 0);
  });

  test("DA-041: end the server also when metadata does not end, and keep the device until it does", async () => {
    const rig = await startedRig(...blueItems);
    const failures = [new Error("it does not end")];
    rig.metadata.onRemove = () => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    };

    rig.server.commit([deleteItem(networkItem(makeNetwork(1)))]);
    await turnLoop();
    assert.deepEqual([rig.host.running.has(blue), rig.host.devices.has(blue)], [false, true]);
    await rig.advance(1000);

    assert.deepEqual(rig.metadata.removed, [blue]);
    assert.equal(rig.host.devices.size, 0);
    assert.equal(rig.agent.queueStats.dirty, 0);
  });

  test("DA-042: enable a network that was not served when it gets a subnet with DHCP", async () => {
    const rig = await startedRig(networkItem(makeNetwork(1)));
    assert.equal(allCalls(rig), 0);

    rig.server.commit([subnetItem(makeSubnet(1, blue))]);
    await turnLoop();

    assert.deepEqual(rig.server.claims, [blue]);
    assert.equal(rig.log("network reconciled").at(-1)?.["outcome"], "started");
  });

  test("DA-043: serve on as before when the server does not answer, and ask again", async () => {
    const rig = await startedRig(...blueItems);
    const before = applies(rig).length;
    rig.server.claimFailures.push(away);

    rig.server.commit([secondSubnet]);
    await turnLoop();
    assert.equal(applies(rig).length, before);
    assert.equal(rig.host.running.get(blue)?.view.subnets.length, 1);
    await rig.advance(1000);

    assert.equal(rig.host.running.get(blue)?.view.subnets.length, 2);
  });

  test("DA-045: call a change done only when the driver has done it", async () => {
    const rig = await startedRig(...blueItems);
    await rig.advance(5);
    rig.driver.failApply(1);
    rig.server.readyPorts.clear();

    rig.server.commit([secondSubnet]);
    await rig.advance(5);
    assert.equal(stateOf(rig), "failing");
    assert.equal(rig.server.readyPorts.size, 0);
    await rig.advance(1000);

    assert.equal(stateOf(rig), "served");
    // Our own port has an address on the new subnet now.
    assert.deepEqual([...rig.server.readyPorts.keys()], [rig.host.devices.get(blue)?.id]);
  });

  test("DA-046: ask the driver for exactly the subnets that have DHCP now", async () => {
    const rig = await startedRig(...blueItems, subnetItem(makeSubnet(3, blue, { enableDhcp: false })));
    const served = (): readonly string[] =>
      rig.host.running.get(blue)?.view.subnets.flatMap(({ id, enableDhcp }) => (enableDhcp ? [id] : [])) ?? [];
    assert.deepEqual(served(), [testSubnetId(1)]);

    rig.server.commit([subnetItem(makeSubnet(3, blue, { revision: 2 }))]);
    await turnLoop();
    assert.deepEqual(served(), [testSubnetId(1), testSubnetId(3)]);
    rig.server.commit([subnetItem(makeSubnet(1, blue, { enableDhcp: false, revision: 2 }))]);
    await turnLoop();

    assert.deepEqual(served(), [testSubnetId(3)]);
    assert.deepEqual(removals(rig), []);
  });
});
