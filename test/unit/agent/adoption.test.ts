import assert from "node:assert/strict";
import { test } from "node:test";
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
  testSubnetId,
} from "../../helpers/agent-items.ts";
import { FakeServer } from "../../helpers/fake-server.ts";
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

test("DA-026: what runs for networks that the server does not name is removed, but only after its first word", async () => {
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

test("DA-024: a new agent adopts what runs: no claim, and the driver has nothing to do", async () => {
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
  first.server.stop();
  // One item per page, so that the network is there long before its ports.
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

test("every served network is verified once a minute", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  const before = rig.deviceManager.calls.length;

  await rig.advance(61_000);
  const verified = rig.deviceManager.calls.slice(before);

  assert.deepEqual(
    verified.toSorted((left, right) => (left.network < right.network ? -1 : 1)).map(({ network, verify }) => [network, verify]),
    [
      [blue, true],
      [red, true],
    ],
  );
});

test("DA-058: our own port of an earlier life is used without a claim", async () => {
  const own = makeDhcpPort(9, blue, 1, dhcpDeviceId(rigHost, blue));
  const rig = await startedRig(...blueItems, portItem(own));

  assert.deepEqual(rig.server.claims, []);
  assert.equal(rig.host.running.get(blue)?.dhcpPort.id, own.id);
});

test("DA-059: a change of our own port reaches the device", async () => {
  const own = makeDhcpPort(9, blue, 1, dhcpDeviceId(rigHost, blue));
  const rig = await startedRig(...blueItems, portItem(own));

  rig.server.commit([portItem({ ...own, revision: 2, fixedIps: [{ subnetId: testSubnetId(1), ipAddress: "10.1.9.9" }] })]);
  await turnLoop();

  assert.equal(rig.host.devices.get(blue)?.fixedIps[0]?.ipAddress, "10.1.9.9");
});

test("DA-062: when our own port is deleted another one is claimed", async () => {
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
