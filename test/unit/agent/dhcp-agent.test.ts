import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { dhcpDeviceId } from "../../../src/model/device-names.ts";
import {
  deleteItem,
  makeNetwork,
  makePort,
  makeSubnet,
  networkItem,
  portItem,
  subnetItem,
  testNetworkId,
  testPortId,
  testSubnetId,
} from "../../helpers/agent-items.ts";
import { AgentRig, rigHost, turnLoop } from "../../helpers/agent-rig.ts";

const blue = testNetworkId(1);
const red = testNetworkId(2);
const blueItems = [networkItem(makeNetwork(1)), subnetItem(makeSubnet(1, blue)), portItem(makePort(5, blue, 1))];
const redItems = [networkItem(makeNetwork(2)), subnetItem(makeSubnet(2, red)), portItem(makePort(6, red, 2))];

async function startedRig(...items: Parameters<AgentRig["server"]["commit"]>[0]): Promise<AgentRig> {
  const rig = new AgentRig();
  rig.server.commit(items);
  await rig.start();
  return rig;
}

const servedPorts = (rig: AgentRig, network = blue) => rig.host.running.get(network)?.view.ports.map(({ id }) => id);
const applies = (rig: AgentRig) => rig.driver.calls.filter(({ verb }) => verb === "apply").map(({ network }) => network);

test("a network with a DHCP subnet is served with a claimed port, and its ports are reported ready", async () => {
  const rig = await startedRig(...blueItems);
  await rig.advance(5);

  assert.deepEqual(rig.server.claims, [blue]);
  assert.equal(rig.host.running.get(blue)?.dhcpPort.deviceId, dhcpDeviceId(rigHost, blue));
  assert.equal(rig.server.readyPorts.get(testPortId(5)), 1);
  assert.equal(rig.agent.journal.status.get(blue)?.state, "served");
});

test("a port that is created is served and reported, without another claim", async () => {
  const rig = await startedRig(...blueItems);

  rig.server.commit([portItem(makePort(7, blue, 1))]);
  await turnLoop();
  await rig.advance(5);

  assert.ok(servedPorts(rig)?.includes(testPortId(7)));
  assert.equal(rig.server.readyPorts.get(testPortId(7)), 1);
  assert.deepEqual(rig.server.claims, [blue]);
});

test("many changes of one network in one message are one reconcile", async () => {
  const rig = await startedRig(...blueItems);
  const before = applies(rig).length;

  rig.server.commit(Array.from({ length: 200 }, (_, n) => portItem(makePort(100 + n, blue, 1))));
  await turnLoop();

  assert.equal(applies(rig).length - before, 1);
  assert.equal(servedPorts(rig)?.length, 202);
});

test("DA-044, DA-155: a network is disabled when it is deleted, set down, or loses its last DHCP subnet", async () => {
  const changes = [
    [deleteItem(networkItem(makeNetwork(1)))],
    [networkItem(makeNetwork(1, { revision: 2, adminStateUp: false }))],
    [deleteItem(subnetItem(makeSubnet(1, blue)))],
    [subnetItem(makeSubnet(1, blue, { revision: 2, enableDhcp: false }))],
  ];
  for (const [index, change] of changes.entries()) {
    const rig = await startedRig(...blueItems);

    rig.server.commit(change);
    await turnLoop();

    assert.equal(rig.host.running.size, 0);
    assert.equal(rig.host.devices.size, 0);
    assert.deepEqual(rig.server.releases, index === 0 ? [] : [blue], "released while the network exists");
  }
});

test("a network that comes up again is served again", async () => {
  const rig = await startedRig(...blueItems);
  rig.server.commit([networkItem(makeNetwork(1, { revision: 2, adminStateUp: false }))]);
  await turnLoop();

  rig.server.commit([networkItem(makeNetwork(1, { revision: 3 }))]);
  await turnLoop();

  assert.ok(servedPorts(rig)?.includes(testPortId(5)));
  assert.deepEqual(rig.server.claims, [blue, blue]);
});

test("a network that was never served here costs no driver call", async () => {
  const rig = await startedRig(networkItem(makeNetwork(1)), portItem(makePort(5, blue, 1)));

  assert.deepEqual(rig.driver.calls, []);
  assert.deepEqual(rig.deviceManager.calls, []);
  assert.equal(rig.agent.journal.status.get(blue)?.state, "off");
});

test("a second DHCP subnet gets an address on our port before it is served", async () => {
  const rig = await startedRig(...blueItems);

  rig.server.commit([subnetItem(makeSubnet(3, blue))]);
  await turnLoop();

  const own = rig.host.running.get(blue)?.dhcpPort;
  assert.deepEqual(own?.fixedIps.map(({ subnetId }) => subnetId).sort(), [testSubnetId(1), testSubnetId(3)]);
});

test("DA-031: a claim that the server answers with nothing is left to the next event", async () => {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  rig.server.truth.delete(testSubnetId(1));
  rig.server.trimOutbox();
  await rig.start();
  const syncs = rig.server.syncs.length;
  rig.agent.applyItems([subnetItem(makeSubnet(1, blue))]);

  await turnLoop();
  await rig.advance(5000);

  assert.deepEqual(rig.server.claims, [blue]);
  assert.equal(rig.server.syncs.length, syncs, "nothing is synced for it");
  assert.equal(rig.agent.queueStats.failing, 0);
  assert.equal(rig.host.running.size, 0);
  assert.equal(rig.log("network reconciled").at(-1)?.["outcome"], "superseded");
});

test("DA-032: without an address for our port the network is degraded, not repeated, until something of it changes", async () => {
  const rig = new AgentRig();
  rig.server.claimFailures.push(new NetloomError("CONFLICT", "no more addresses on subnet 1"));
  rig.server.commit(blueItems);
  await rig.start();
  rig.agent.syncState();
  await rig.advance(120_000);

  assert.deepEqual(rig.server.claims, [blue]);
  assert.equal(rig.agent.journal.status.get(blue)?.state, "degraded");
  assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /no more addresses/);
  rig.server.commit([deleteItem(portItem(makePort(5, blue, 1)))]);
  await turnLoop();

  assert.equal(rig.agent.journal.status.get(blue)?.state, "served");
});

test("when only a new subnet has no address for us, the others are served on", async () => {
  const rig = await startedRig(...blueItems);
  rig.server.claimFailures.push(new NetloomError("CONFLICT", "no more addresses on subnet 3"));

  rig.server.commit([subnetItem(makeSubnet(3, blue)), portItem(makePort(7, blue, 1)), portItem(makePort(8, blue, 3))]);
  await turnLoop();
  await rig.advance(5);

  const view = rig.host.running.get(blue)?.view;
  assert.deepEqual(
    view?.subnets.map(({ enableDhcp }) => enableDhcp),
    [true, false],
  );
  assert.equal(rig.agent.journal.status.get(blue)?.state, "degraded");
  assert.ok(rig.server.readyPorts.has(testPortId(7)));
  assert.ok(!rig.server.readyPorts.has(testPortId(8)), "nobody serves it");
});

test("a subnet that was full from the start costs only itself, and is asked for once until something changes", async () => {
  const rig = new AgentRig();
  rig.server.fullSubnets.add(testSubnetId(3));
  rig.server.commit([...blueItems, subnetItem(makeSubnet(3, blue)), portItem(makePort(7, blue, 1))]);
  await rig.start();
  await rig.advance(120_000);

  assert.deepEqual(
    rig.host.running.get(blue)?.view.subnets.map(({ enableDhcp }) => enableDhcp),
    [true, false],
  );
  assert.ok(rig.server.readyPorts.has(testPortId(7)));
  assert.equal(rig.agent.journal.status.get(blue)?.state, "degraded");
  assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /no address is left on subnets/);
  assert.ok(rig.server.claims.length <= 2, `${rig.server.claims.length} claims`);
});

test("a driver that left a port out has served the others: no repetition, and that port is not reported", async () => {
  const rig = new AgentRig();
  rig.driver.failApply(1, new NetloomError("INVALID", "left out", { portIds: [testPortId(5)], outcome: "started" }));
  rig.server.commit([...blueItems, portItem(makePort(7, blue, 1))]);
  await rig.start();
  await rig.advance(10_000);

  assert.equal(applies(rig).length, 1);
  assert.equal(rig.agent.journal.status.get(blue)?.state, "degraded");
  assert.ok(rig.server.readyPorts.has(testPortId(7)));
  assert.ok(!rig.server.readyPorts.has(testPortId(5)));
});

test("DA-030: a failing network is repeated with back-off and does not delay another", async () => {
  const rig = new AgentRig();
  rig.driver.broken.add(blue);
  rig.server.commit([...blueItems, ...redItems]);
  await rig.start();

  assert.ok(rig.host.running.has(red));
  assert.equal(rig.agent.journal.status.get(blue)?.state, "failing");
  await rig.advance(500);
  await rig.advance(1000);
  assert.deepEqual(
    rig.log("network not reconciled, will be repeated").map((line) => line["attempt"]),
    [1, 2, 3],
  );
  rig.driver.broken.clear();
  await rig.advance(2000);

  assert.ok(rig.host.running.has(blue));
  assert.equal(rig.agent.queueStats.dirty, 0);
});

test("after a failure the device is verified, because it may be half made", async () => {
  const rig = new AgentRig();
  rig.driver.failApply(1);
  rig.server.commit(blueItems);
  await rig.start();

  await rig.advance(500);

  assert.deepEqual(
    rig.deviceManager.calls.map(({ verify }) => verify),
    [false, true],
  );
});

test("the trace of the request that caused a change is in the line about its reconcile", async () => {
  const rig = await startedRig(...blueItems);
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

  rig.server.commit([portItem(makePort(7, blue, 1), `00-${traceId}-00f067aa0ba902b7-01`)]);
  await turnLoop();

  const line = rig.log("network reconciled").at(-1);
  assert.equal(line?.["traceId"], traceId);
  assert.equal(line?.["networkId"], blue);
  assert.equal(line?.["outcome"], "reloaded");
});

test("ports that were reported are not reported again, changed ones are", async () => {
  const rig = await startedRig(...blueItems);
  await rig.advance(5);
  rig.server.readyPorts.clear();

  rig.server.commit([portItem(makePort(5, blue, 1, { revision: 2, dnsName: "web" }))]);
  await turnLoop();
  await rig.advance(5);

  assert.deepEqual([...rig.server.readyPorts], [[testPortId(5), 2]]);
});

test("a port is not reported while the driver fails", async () => {
  const rig = new AgentRig();
  rig.driver.broken.add(blue);
  rig.server.commit(blueItems);
  await rig.start();
  await rig.advance(5000);

  assert.equal(rig.server.readyPorts.size, 0);
});
