// Changes of the agent's own port that somebody else made.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dhcpDeviceId } from "../../../src/model/device-names.ts";
import type { Port } from "../../../src/model/network.ts";
import {
  deleteItem,
  makeDhcpPort,
  makeNetwork,
  makeSubnet,
  networkItem,
  portItem,
  subnetItem,
  testSubnetId,
} from "../../helpers/agent-items.ts";
import { rigHost, turnLoop, type AgentRig } from "../../helpers/agent-rig.ts";
import {
  applies,
  bareItems,
  blue,
  blueItems,
  red,
  redItems,
  removals,
  startedRig,
  stateOf,
} from "../../helpers/agent-scene.ts";

const own = makeDhcpPort(0xd0, blue, 1, dhcpDeviceId(rigHost, blue));
const onlyOn = (subnet: number, address: string): Port["fixedIps"] => [{ subnetId: testSubnetId(subnet), ipAddress: address }];

const state = (rig: AgentRig): readonly number[] => [
  applies(rig).length,
  rig.deviceManager.calls.length,
  rig.server.claims.length,
];

describe("the agent's own port", () => {
  test("DA-057: that lost a subnet which goes waits for the subnet's delete, and the driver is not called", async () => {
    const both = { ...own, fixedIps: [...onlyOn(1, "10.1.0.208"), ...onlyOn(3, "10.3.0.208")] };
    const subnet = subnetItem(makeSubnet(3, blue));
    const rig = await startedRig(...blueItems, subnet, portItem(both));
    const [calls = 0, setups = 0] = state(rig);
    // The server takes the port's address first, and knows the subnet no longer when it is asked.
    rig.server.truth.delete(subnet.id);

    rig.server.commit([portItem({ ...own, revision: 2 })]);
    await turnLoop();
    assert.deepEqual(state(rig), [calls, setups, 1]);
    assert.equal(rig.log("network reconciled").at(-1)?.["outcome"], "superseded");
    rig.server.commit([deleteItem(subnet)]);
    await turnLoop();

    assert.deepEqual(rig.host.devices.get(blue)?.fixedIps, own.fixedIps);
    assert.equal(rig.server.claims.length, 1);
    assert.equal(stateOf(rig), "served");
  });

  test("DA-058: with another address moves the device; as it was, it moves nothing", async () => {
    const rig = await startedRig(...blueItems, portItem(own));
    const [calls = 0, setups = 0] = state(rig);

    rig.server.commit([portItem({ ...own, revision: 2, fixedIps: onlyOn(1, "10.1.9.9") })]);
    await turnLoop();
    assert.deepEqual(state(rig), [calls + 1, setups + 1, 0]);
    assert.deepEqual(rig.host.devices.get(blue)?.fixedIps, onlyOn(1, "10.1.9.9"));
    assert.deepEqual(rig.host.running.get(blue)?.dhcpPort.fixedIps, onlyOn(1, "10.1.9.9"));
    rig.agent.applyItems([portItem({ ...own, revision: 2, fixedIps: onlyOn(1, "10.1.9.9") })]);
    await turnLoop();

    assert.deepEqual(state(rig), [calls + 1, setups + 1, 0]);
  });

  test("DA-062: that is deleted while its subnet has no DHCP any more is not asked for again", async () => {
    const rig = await startedRig(...blueItems, portItem(own));

    rig.server.commit([subnetItem(makeSubnet(1, blue, { enableDhcp: false, revision: 2 })), deleteItem(portItem(own))]);
    await turnLoop();

    assert.deepEqual(removals(rig), [blue]);
    assert.deepEqual([rig.server.claims, rig.server.releases], [[], []]);
  });

  test("DA-062: that is deleted after its network is nobody's business", async () => {
    const rig = await startedRig(...blueItems, ...redItems, portItem(own));
    rig.server.commit([deleteItem(networkItem(makeNetwork(1)))]);
    await turnLoop();
    const before = state(rig);

    rig.server.commit([deleteItem(portItem(own))]);
    await turnLoop();

    assert.deepEqual(state(rig), before);
    assert.deepEqual([...rig.host.running.keys()], [red]);
    assert.equal(rig.agent.queueStats.dirty, 0);
  });

  test("that a host has whose name is the same up to the first dot is not taken for it", async () => {
    const sameId = dhcpDeviceId(rigHost, blue);
    const namesake = makeDhcpPort(0xd1, blue, 1, sameId, { bindingHost: `${rigHost}.elsewhere.example` });
    const rig = await startedRig(...bareItems(1), portItem(namesake));

    assert.deepEqual(rig.server.claims, [blue]);
    assert.notEqual(rig.host.devices.get(blue)?.id, namesake.id);
  });

  test("that is bound to no host, or to one that cannot have it, is ours by its device id", async () => {
    for (const bindingHost of ["", "other"]) {
      const rig = await startedRig(...bareItems(1), portItem({ ...own, bindingHost }));

      assert.deepEqual(rig.server.claims, [], bindingHost);
      assert.equal(rig.host.devices.get(blue)?.id, own.id);
    }
  });

  test("DA-017: that another host has is not taken for it", async () => {
    const foreign = makeDhcpPort(0xd1, blue, 1, dhcpDeviceId("host-2", blue));
    const rig = await startedRig(...bareItems(1), portItem(foreign));

    assert.deepEqual(rig.server.claims, [blue]);
    assert.notEqual(rig.host.devices.get(blue)?.id, foreign.id);
  });
});
