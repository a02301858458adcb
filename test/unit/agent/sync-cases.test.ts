// What a sync with the server changes on the host, and what it leaves alone.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { dhcpAgentSchema } from "../../../src/config/dhcp-agent-config.ts";
import {
  makeNetwork,
  makePort,
  makeSubnet,
  networkItem,
  portItem,
  subnetItem,
  testNetworkId,
  testPortId,
} from "../../helpers/agent-items.ts";
import { AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import {
  applies,
  bareItems,
  blue,
  blueItems,
  red,
  redItems,
  servedPorts,
  startedRig,
  stateOf,
} from "../../helpers/agent-scene.ts";

const green = testNetworkId(3);

describe("a sync", () => {
  test("DA-001: must not have to wait longer than the interval of the looks at the kernel", () => {
    const parse = (times: object): boolean =>
      dhcpAgentSchema.safeParse({
        host: "host-1",
        stateDir: "/var/lib/netloom",
        nats: { url: "nats://127.0.0.1:4222" },
        ...times,
      }).success;

    assert.equal(parse({}), true);
    assert.equal(parse({ resyncIntervalMs: 5000, resyncThrottleMs: 5000 }), true);
    assert.equal(parse({ resyncIntervalMs: 5000, resyncThrottleMs: 5001 }), false);
  });

  test("DA-009: that fails is told, loses nothing and is repeated for all networks", async () => {
    const rig = new AgentRig();
    rig.server.syncFailures.push(new NetloomError("TIMEOUT", "slow"), new NetloomError("INVALID", "a mistake"));
    rig.server.commit([...blueItems, ...redItems]);

    await rig.start();
    assert.deepEqual(applies(rig), []);
    await rig.advance(1000);

    assert.equal(rig.log("sync failed, will be repeated").length, 2);
    assert.deepEqual([...applies(rig)].toSorted(), [blue, red]);
  });

  test("DA-010: an error about one network is a matter of that network", async () => {
    const rig = new AgentRig();
    rig.server.commit([...blueItems, ...redItems]);
    rig.server.claimFailures.push(new NetloomError("UNAVAILABLE", "the database is away"));
    await rig.start();
    const failing = [blue, red].filter((id) => stateOf(rig, id) === "failing");
    assert.equal(failing.length, 1);
    const [other] = [blue, red].filter((id) => stateOf(rig, id) === "served");

    await rig.advance(1000);

    assert.deepEqual(applies(rig), [other, ...failing]);
    assert.equal(rig.server.syncs.length, 1);
  });

  test("DA-011: for one network works on that one, and on those that were not known", async () => {
    const rig = await startedRig(...blueItems, ...redItems);
    const before = applies(rig).length;

    rig.agent.syncState([blue]);
    await turnLoop();
    rig.server.commit([...bareItems(3), portItem(makePort(7, red, 2))], { isLost: true });
    rig.consumer.requestSync("test");
    await rig.advance(1000);

    assert.deepEqual(
      rig.server.syncs.map(({ mode }) => mode),
      ["snapshot", "delta"],
    );
    assert.deepEqual(applies(rig).slice(before, before + 1), [blue]);
    assert.deepEqual(
      applies(rig)
        .slice(before + 1)
        .toSorted(),
      [red, green],
    );
  });

  test("DA-012: of everything confirms all ports again, of some only what has changed", async () => {
    const rig = await startedRig(...blueItems, ...redItems);
    await rig.advance(5);
    rig.server.readyPorts.clear();

    rig.server.commit([portItem(makePort(7, red, 2))], { isLost: true });
    rig.consumer.requestSync("a part");
    await rig.advance(1000);
    assert.deepEqual([...rig.server.readyPorts.keys()], [testPortId(7)]);
    rig.server.readyPorts.clear();
    rig.server.trimOutbox();
    rig.server.commit([]);
    rig.server.restore("epoch-2", [...rig.server.truth.values()]);
    rig.consumer.requestSync("everything");
    await rig.advance(1000);

    const ports = [...rig.server.truth.values()].filter(({ kind }) => kind === "port").map(({ id }) => id);
    assert.equal(ports.length, 5);
    assert.deepEqual([...rig.server.readyPorts.keys()].toSorted(), ports.toSorted());
  });

  test("DA-015: of a network that is switched off costs no call and no port", async () => {
    const rig = await startedRig(...blueItems, networkItem(makeNetwork(1, { adminStateUp: false, revision: 2 })));

    assert.deepEqual([...rig.driver.calls, ...rig.deviceManager.calls], []);
    assert.deepEqual(rig.server.claims, []);
    assert.equal(stateOf(rig), "off");
  });

  test("DA-016: of a network without DHCP serves, reports and proxies nothing", async () => {
    const silent = subnetItem(makeSubnet(1, blue, { enableDhcp: false }));
    const rig = await startedRig(networkItem(makeNetwork(1)), silent, portItem(makePort(5, blue, 1)));
    await rig.advance(5000);

    assert.deepEqual([...rig.driver.calls, ...rig.deviceManager.calls], []);
    assert.deepEqual([rig.metadata.planned, rig.metadata.applied, rig.metadata.removed], [[], [], []]);
    assert.equal(rig.server.readyPorts.size, 0);
    assert.equal(stateOf(rig), "off");
  });

  test("DA-017: of a new network ends with the agent's own port known and every port reported", async () => {
    const rig = await startedRig(...blueItems, portItem(makePort(7, blue, 1)));
    await rig.advance(5);

    const own = rig.host.devices.get(blue);
    assert.ok(own !== undefined);
    assert.deepEqual(rig.cache.findPort(own.id), own);
    assert.deepEqual([...rig.server.readyPorts.keys()].toSorted(), [testPortId(5), testPortId(7), own.id].toSorted());
  });

  test("DA-018: survives whatever a driver throws, and does not call that network served", async () => {
    const rig = new AgentRig();
    rig.driver.failApply(1, new NetloomError("NOT_FOUND", "no such network"));
    rig.driver.failApply(2, new TypeError("a mistake of ours"));
    rig.server.commit(blueItems);

    await rig.start();
    assert.equal(stateOf(rig), "failing");
    await rig.advance(600);
    assert.equal(stateOf(rig), "failing");
    assert.deepEqual(servedPorts(rig), []);
    assert.equal(rig.server.readyPorts.size, 0);
    await rig.advance(2000);

    assert.equal(stateOf(rig), "served");
  });
});
