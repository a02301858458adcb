// Notifications about networks, subnets and ports: what each does to what is served, and which of them do nothing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StreamItem } from "../../../src/types/agent-messages.ts";
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
import { type AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { applies, blue, blueItems, redItems, removals, servedPorts, startedRig, stateOf } from "../../helpers/agent-scene.ts";

type Handler = keyof Pick<
  AgentRig["agent"],
  | "networkCreateEnd"
  | "networkUpdateEnd"
  | "networkDeleteEnd"
  | "subnetCreateEnd"
  | "subnetUpdateEnd"
  | "subnetDeleteEnd"
  | "portCreateEnd"
  | "portUpdateEnd"
  | "portDeleteEnd"
>;

/** Calls one handler and lets what follows happen. */
async function tell(rig: AgentRig, handler: Handler, item: StreamItem): Promise<void> {
  // The item fits the handler: that is what the callers below say.
  (rig.agent[handler] as (item: StreamItem) => void)(item);
  await turnLoop();
}

/** Tells the server as well, so that it answers for what it knows. */
async function commit(rig: AgentRig, ...items: readonly StreamItem[]): Promise<void> {
  rig.server.commit(items);
  await turnLoop();
}

const allCalls = (rig: AgentRig): number => rig.driver.calls.length + rig.deviceManager.calls.length + rig.server.claims.length;

describe("events of networks and subnets", () => {
  test("DA-047: a network that is created or switched on is served, one that is switched off or deleted is not", async () => {
    const rig = await startedRig(...blueItems);
    const at = (revision: number, adminStateUp: boolean): StreamItem => networkItem(makeNetwork(1, { revision, adminStateUp }));
    const isServed = (): boolean => rig.host.running.has(blue);

    await tell(rig, "networkUpdateEnd", at(2, false));
    assert.equal(isServed(), false);
    await tell(rig, "networkUpdateEnd", at(3, true));
    assert.equal(isServed(), true);
    await tell(rig, "networkDeleteEnd", deleteItem(at(3, true)));
    assert.equal(isServed(), false);
    await tell(rig, "networkCreateEnd", at(3, true));
    await tell(rig, "subnetCreateEnd", subnetItem(makeSubnet(1, blue)));

    assert.equal(isServed(), true);
  });

  test("DA-048: a subnet that is created does what the same subnet does when it is updated", async () => {
    const results = [];
    for (const handler of ["subnetCreateEnd", "subnetUpdateEnd"] as const) {
      const rig = await startedRig(...blueItems);
      const subnet = subnetItem(makeSubnet(3, blue));
      rig.server.truth.set(subnet.id, subnet);
      await tell(rig, handler, subnet);
      results.push({ calls: rig.driver.calls, running: [...rig.host.running] });
    }

    assert.equal(results[0]?.running[0]?.[1].view.subnets.length, 2);
    // The id of the agent's own port is random in each rig.
    const comparable = results.map(({ calls, running }) => [calls, running.map(([id, { view }]) => [id, view.subnets])]);
    assert.deepEqual(comparable[0], comparable[1]);
  });

  test("DA-049: a subnet that goes leaves the others served; one that nobody knows does nothing", async () => {
    const rig = await startedRig(...blueItems, subnetItem(makeSubnet(3, blue)));
    const before = allCalls(rig);
    await tell(rig, "subnetDeleteEnd", deleteItem(subnetItem(makeSubnet(9, blue))));
    assert.equal(allCalls(rig), before);

    await commit(rig, deleteItem(subnetItem(makeSubnet(3, blue))));

    assert.deepEqual(
      rig.host.running.get(blue)?.view.subnets.map(({ id }) => id),
      [testSubnetId(1)],
    );
    assert.deepEqual(removals(rig), []);
  });
});

describe("events of ports", () => {
  test("DA-050: of a network that is not hosted here do nothing", async () => {
    const rig = await startedRig(...blueItems);
    const before = allCalls(rig);

    await tell(rig, "portUpdateEnd", portItem(makePort(9, testNetworkId(9), 9)));

    assert.equal(allCalls(rig), before);
    assert.equal(rig.server.syncs.length, 1);
  });

  test("DA-051: a change is served, its metadata judged again, and told before ports that were only confirmed", async () => {
    const rig = await startedRig(...blueItems, ...redItems);
    const planned = rig.metadata.planned.length;

    await commit(rig, portItem(makePort(5, blue, 1, { revision: 2, dnsName: "web" })));
    await rig.advance(5);

    assert.equal(rig.host.running.get(blue)?.view.ports.find(({ id }) => id === testPortId(5))?.dnsName, "web");
    assert.equal(rig.metadata.planned.length, planned + 1);
    assert.equal(rig.metadata.applied.at(-1)?.view, rig.host.running.get(blue)?.view);
    assert.deepEqual(rig.server.reports[0]?.readyPorts[0], { id: testPortId(5), revision: 2 });
    assert.equal(rig.server.reports[0]?.readyPorts.length, 4);
  });

  test("DA-055: one that is created though it is known is served as it is now, without a sync", async () => {
    const rig = await startedRig(...blueItems);
    const before = applies(rig).length;

    await tell(rig, "portCreateEnd", portItem(makePort(5, blue, 1, { revision: 2, macAddress: "fa:16:3e:99:99:99" })));

    assert.equal(applies(rig).length, before + 1);
    assert.equal(rig.host.running.get(blue)?.view.ports.filter(({ id }) => id === testPortId(5)).length, 1);
    assert.equal(rig.server.syncs.length, 1);
  });

  test("DA-056: one that takes the address of another is served with it, the other without and not as ready", async () => {
    const rig = await startedRig(...blueItems);
    await rig.advance(5);
    rig.server.readyPorts.clear();
    const { fixedIps } = makePort(5, blue, 1);

    await commit(
      rig,
      portItem(makePort(5, blue, 1, { revision: 2, dnsName: "loser" })),
      portItem(makePort(7, blue, 1, { fixedIps })),
    );
    await rig.advance(5);

    const served = rig.host.running.get(blue)?.view.ports ?? [];
    assert.deepEqual(served.find(({ id }) => id === testPortId(5))?.fixedIps, []);
    assert.deepEqual(served.find(({ id }) => id === testPortId(7))?.fixedIps, fixedIps);
    assert.deepEqual([...rig.server.readyPorts.keys()], [testPortId(7)]);
    assert.equal(rig.server.syncs.length, 1);
  });

  test("DA-060: one that is deleted is served no longer, its metadata judged again, and does not come back", async () => {
    const rig = await startedRig(...blueItems);
    const planned = rig.metadata.planned.length;

    await tell(rig, "portDeleteEnd", deleteItem(portItem(makePort(5, blue, 1))));
    await tell(rig, "portUpdateEnd", portItem(makePort(5, blue, 1)));

    assert.equal(servedPorts(rig).length, 1);
    assert.ok(!servedPorts(rig).includes(testPortId(5)));
    assert.equal(rig.metadata.planned.length, planned + 1);
    assert.equal(stateOf(rig), "served");
  });

  test("DA-061: the delete of one that nobody knows has the devices of its network looked at", async () => {
    const rig = await startedRig(...blueItems, ...redItems);
    const before = rig.deviceManager.calls.length;

    await tell(rig, "portDeleteEnd", deleteItem(portItem(makePort(9, blue, 1))));

    assert.deepEqual(rig.deviceManager.calls.slice(before), [{ verb: "setup", network: blue, verify: true }]);
  });

  test("DA-066: of several changes that wait, only the newest is applied", async () => {
    const rig = await startedRig(...blueItems);
    const gate = Promise.withResolvers<void>();
    const names: (string | undefined)[] = [];
    rig.driver.onApply = ({ view }) => {
      names.push(view.ports.find(({ id }) => id === testPortId(5))?.dnsName);
      return gate.promise;
    };
    const at = (revision: number): StreamItem => portItem(makePort(5, blue, 1, { revision, dnsName: `r${revision}` }));

    await commit(rig, at(2));
    for (const revision of [4, 3, 5, 4]) await tell(rig, "portUpdateEnd", at(revision));
    gate.resolve();
    await turnLoop();

    assert.deepEqual(names, ["r2", "r5"]);
  });
});
