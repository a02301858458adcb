import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { dhcpDeviceId } from "../../../src/model/device-names.ts";
import {
  deleteItem,
  makeDhcpPort,
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
  assert.equal(rig.agent.status.get(blue)?.state, "served");
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

test("a network is disabled when it is deleted, set down, or loses its last DHCP subnet", async () => {
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
  assert.equal(rig.agent.status.get(blue)?.state, "off");
});

test("a second DHCP subnet gets an address on our port before it is served", async () => {
  const rig = await startedRig(...blueItems);

  rig.server.commit([subnetItem(makeSubnet(3, blue))]);
  await turnLoop();

  const own = rig.host.running.get(blue)?.dhcpPort;
  assert.deepEqual(own?.fixedIps.map(({ subnetId }) => subnetId).sort(), [testSubnetId(1), testSubnetId(3)]);
});

test("a claim that the server answers with nothing is left to the next event", async () => {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  rig.server.truth.delete(testSubnetId(1));
  rig.server.trimOutbox();
  await rig.start();
  rig.agent.applyItems([subnetItem(makeSubnet(1, blue))]);

  await turnLoop();

  assert.deepEqual(rig.server.claims, [blue]);
  assert.equal(rig.host.running.size, 0);
  assert.equal(rig.log("network reconciled").at(-1)?.["outcome"], "superseded");
});

test("without an address for our port the network is degraded, not repeated, until something of it changes", async () => {
  const rig = new AgentRig();
  rig.server.claimFailures.push(new NetloomError("CONFLICT", "no more addresses on subnet 1"));
  rig.server.commit(blueItems);
  await rig.start();
  rig.agent.syncState();
  await rig.advance(120_000);

  assert.deepEqual(rig.server.claims, [blue]);
  assert.equal(rig.agent.status.get(blue)?.state, "degraded");
  assert.match(rig.agent.status.get(blue)?.reason ?? "", /no more addresses/);
  rig.server.commit([deleteItem(portItem(makePort(5, blue, 1)))]);
  await turnLoop();

  assert.equal(rig.agent.status.get(blue)?.state, "served");
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
  assert.equal(rig.agent.status.get(blue)?.state, "degraded");
  assert.ok(rig.server.readyPorts.has(testPortId(7)));
  assert.ok(!rig.server.readyPorts.has(testPortId(8)), "nobody serves it");
});

test("a driver that left a port out has served the others: no repetition, and that port is not reported", async () => {
  const rig = new AgentRig();
  rig.driver.failApply(1, new NetloomError("INVALID", "left out", { portIds: [testPortId(5)], outcome: "started" }));
  rig.server.commit([...blueItems, portItem(makePort(7, blue, 1))]);
  await rig.start();
  await rig.advance(10_000);

  assert.equal(applies(rig).length, 1);
  assert.equal(rig.agent.status.get(blue)?.state, "degraded");
  assert.ok(rig.server.readyPorts.has(testPortId(7)));
  assert.ok(!rig.server.readyPorts.has(testPortId(5)));
});

test("a failing network is repeated with back-off and does not delay another", async () => {
  const rig = new AgentRig();
  rig.driver.broken.add(blue);
  rig.server.commit([...blueItems, ...redItems]);
  await rig.start();

  assert.ok(rig.host.running.has(red));
  assert.equal(rig.agent.status.get(blue)?.state, "failing");
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

test("what runs for networks that the server does not name is removed, but only after its first word", async () => {
  const first = await startedRig(...blueItems, ...redItems);
  await first.kill();
  first.server.commit([deleteItem(networkItem(makeNetwork(2)))]);
  first.server.stop();
  const second = new AgentRig({ before: first });
  await second.start();
  await second.advance(10_000);
  assert.equal(second.host.running.size, 2, "nothing is removed while no server answers");

  first.server.start();
  await second.advance(20_000);

  assert.deepEqual([...second.host.running.keys()], [blue]);
  assert.deepEqual([...second.host.devices.keys()], [blue]);
});

test("looking at everything before the server has said a word removes nothing", async () => {
  const first = await startedRig(...blueItems);
  await first.kill();
  first.server.stop();
  const second = new AgentRig({ before: first });
  await second.start();

  second.agent.syncState([blue]);
  await second.agent.reconcile(blue);
  await second.advance(10_000);

  assert.deepEqual(second.driver.calls, []);
  assert.ok(second.host.running.has(blue));
});

test("a new agent adopts what runs: no claim, and the driver has nothing to do", async () => {
  const first = await startedRig(...blueItems);
  await first.kill();

  const second = new AgentRig({ before: first });
  await second.start();

  assert.deepEqual(first.server.claims, [blue]);
  assert.deepEqual(
    second.log("network reconciled").map(({ level, outcome }) => ({ level, outcome })),
    [{ level: "debug", outcome: "unchanged" }],
  );
});

test("an agent that was killed in the middle of a snapshot's reconciles is completed by the next one", async () => {
  const first = new AgentRig();
  first.server.commit([...blueItems, ...redItems]);
  first.driver.failApply(2);
  await first.start();
  await first.kill();
  assert.equal(first.host.running.size, 1);

  const second = new AgentRig({ before: first });
  await second.start();

  assert.equal(second.host.running.size, 2);
});

test("half a snapshot is not applied to the host", async () => {
  const first = await startedRig(...blueItems, portItem(makePort(7, blue, 1)));
  await first.kill();
  const second = new AgentRig({ before: first });
  const seenPorts: number[] = [];
  second.driver.onApply = ({ view }) => void seenPorts.push(view.ports.length);
  // One item per page, so that the network is there long before its ports.
  const paged = new AgentRig({ pageSize: 1 });
  await paged.kill();
  first.server.stop();
  paged.server.stop();
  const { FakeServer } = await import("../../helpers/fake-server.ts");
  const server = new FakeServer({ bus: first.hub.connect(), host: rigHost, pageSize: 1 });
  server.restore("epoch-1", [...first.server.truth.values()]);
  server.commit([]);
  server.start();

  await second.start();
  await turnLoop(300);

  assert.deepEqual(seenPorts, [3], "one reconcile, with our port and both others");
  assert.deepEqual(
    second.driver.calls.filter(({ verb }) => verb === "remove"),
    [],
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

test("a dead server is started again, and one that dies again and again more slowly", async () => {
  const rig = await startedRig(...blueItems);
  const restarts: number[] = [];
  rig.driver.onApply = () => void restarts.push(rig.clock.monotonicMs());

  for (let tick = 0; tick < 15; tick += 1) {
    rig.host.dead.add(blue);
    await rig.advance(2000);
  }

  const gaps = restarts.slice(1).map((atMs, index) => atMs - (restarts[index] ?? 0));
  assert.deepEqual(gaps, [2000, 4000, 8000]);
});

test("every served network is verified once a minute", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  const before = rig.deviceManager.calls.length;

  await rig.advance(61_000);
  const verified = rig.deviceManager.calls.slice(before);

  assert.deepEqual(verified.map(({ network, verify }) => [network, verify]).sort(), [
    [blue, true],
    [red, true],
  ]);
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

test("our own port of an earlier life is used without a claim", async () => {
  const own = makeDhcpPort(9, blue, 1, dhcpDeviceId(rigHost, blue));
  const rig = await startedRig(...blueItems, portItem(own));

  assert.deepEqual(rig.server.claims, []);
  assert.equal(rig.host.running.get(blue)?.dhcpPort.id, own.id);
});

test("a change of our own port reaches the device", async () => {
  const own = makeDhcpPort(9, blue, 1, dhcpDeviceId(rigHost, blue));
  const rig = await startedRig(...blueItems, portItem(own));

  rig.server.commit([portItem({ ...own, revision: 2, fixedIps: [{ subnetId: testSubnetId(1), ipAddress: "10.1.9.9" }] })]);
  await turnLoop();

  assert.equal(rig.host.devices.get(blue)?.fixedIps[0]?.ipAddress, "10.1.9.9");
});

test("when our own port is deleted another one is claimed", async () => {
  const rig = await startedRig(...blueItems);
  const own = [...rig.server.truth.values()].find(
    (item) => item.op === "upsert" && item.kind === "port" && item.body.deviceOwner === "network:dhcp",
  );
  assert.ok(own);

  rig.server.commit([deleteItem(own)]);
  await turnLoop();

  assert.deepEqual(rig.server.claims, [blue, blue]);
  assert.notEqual(rig.host.running.get(blue)?.dhcpPort.id, own.id);
});

test("from an event to the driver on a network of a thousand ports takes about a millisecond or less", async () => {
  const rig = await startedRig(...blueItems, ...Array.from({ length: 1000 }, (_, n) => portItem(makePort(100 + n, blue, 1))));
  const tookMs: number[] = [];
  let startedAt = 0;
  rig.driver.onApply = () => void tookMs.push(performance.now() - startedAt);
  for (let n = 0; n < 100; n += 1) {
    const item = portItem(makePort(2000 + n, blue, 1));
    startedAt = performance.now();
    rig.agent.applyItems([item]);
    await rig.agent.idle();
  }

  const median = tookMs.sort((left, right) => left - right)[50] ?? Number.POSITIVE_INFINITY;
  assert.equal(tookMs.length, 100);
  assert.ok(median < 1, `median ${median.toFixed(2)} ms`);
});
