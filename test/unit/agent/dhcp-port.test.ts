// The agent's own port: when it is asked for, and what becomes of it when something goes wrong.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { dhcpDeviceId } from "../../../src/model/device-names.ts";
import type { Port } from "../../../src/model/network.ts";
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
import { AgentRig, rigHost, turnLoop } from "../../helpers/agent-rig.ts";

const blue = testNetworkId(1);
const [one, two] = [testSubnetId(1), testSubnetId(2)];
const items = [networkItem(makeNetwork(1)), subnetItem(makeSubnet(1, blue)), subnetItem(makeSubnet(2, blue))];
const deviceId = dhcpDeviceId(rigHost, blue);

function ownPort(subnets: readonly [typeof one, string][]): Port {
  const fixedIps = subnets.map(([subnetId, ipAddress]) => ({ subnetId, ipAddress }));
  return makeDhcpPort(0xd0, blue, 1, deviceId, { fixedIps });
}

async function startedRig(...more: Parameters<AgentRig["server"]["commit"]>[0]): Promise<AgentRig> {
  const rig = new AgentRig();
  rig.server.commit([...items, ...more]);
  await rig.start();
  return rig;
}

const state = (rig: AgentRig): string | undefined => rig.agent.journal.status.get(blue)?.state;

describe("the DHCP port of an agent", () => {
  test("DA-183: that is complete is used without a claim", async () => {
    const port = ownPort([
      [one, "10.1.0.2"],
      [two, "10.2.0.2"],
    ]);

    const rig = await startedRig(portItem(port));

    assert.deepEqual(rig.server.claims, []);
    assert.deepEqual(rig.host.devices.get(blue), port);
    assert.equal(state(rig), "served");
  });

  test("DA-183: that lacks a subnet is claimed with all of them, once", async () => {
    const rig = await startedRig(portItem(ownPort([[one, "10.1.0.2"]])));

    assert.deepEqual(rig.server.claims, [blue]);
    assert.deepEqual(
      rig.host.devices
        .get(blue)
        ?.fixedIps.map(({ subnetId }) => subnetId)
        .toSorted(),
      [one, two].toSorted(),
    );
  });

  test("DA-183: that has an address on a subnet without DHCP is claimed without it", async () => {
    const port = ownPort([
      [one, "10.1.0.2"],
      [two, "10.2.0.2"],
    ]);
    const rig = await startedRig(portItem(port));

    rig.server.commit([subnetItem(makeSubnet(2, blue, { enableDhcp: false, revision: 2 }))]);
    await turnLoop();

    assert.deepEqual(rig.server.claims, [blue]);
    assert.deepEqual(
      rig.host.devices.get(blue)?.fixedIps.map(({ subnetId }) => subnetId),
      [one],
    );
  });

  test("DA-182: a claim that is answered with nothing serves nothing, and the next event asks again", async () => {
    const rig = new AgentRig();
    rig.server.commit(items);
    rig.server.truth.delete(two);
    rig.server.trimOutbox();
    await rig.start();
    rig.agent.applyItems([subnetItem(makeSubnet(2, blue))]);
    await turnLoop();
    // Answered with nothing, because the agent knew a subnet that the server does not.
    const [claims, served] = [rig.server.claims.length, rig.agent.journal.status.get(blue)?.outcome];
    assert.equal(served, "superseded");

    rig.server.commit([subnetItem(makeSubnet(2, blue, { revision: 2 }))]);
    await turnLoop();

    assert.equal(rig.server.claims.length, claims + 1);
    assert.equal(state(rig), "served");
  });

  test("DA-185: what the server says against a claim surfaces, and the claim is repeated", async () => {
    const rig = new AgentRig();
    rig.server.claimFailures.push(new NetloomError("UNAVAILABLE", "the database is away"));
    rig.server.commit(items);
    await rig.start();
    assert.equal(state(rig), "failing");
    assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /the database is away/);

    await rig.advance(5_000);

    assert.deepEqual(rig.server.claims, [blue, blue]);
    assert.equal(state(rig), "served");
  });

  test("DA-186: an answer without a subnet is asked for once more", async () => {
    const rig = new AgentRig();
    rig.server.shortAnswers = 1;
    rig.server.commit(items);
    await rig.start();

    assert.deepEqual(rig.server.claims, [blue, blue]);
    assert.equal(state(rig), "served");
  });

  test("DA-034, DA-186: when the subnet is missing again, the network fails and says which", async () => {
    const rig = new AgentRig();
    rig.server.shortAnswers = 2;
    rig.server.commit(items);

    await rig.start();

    assert.deepEqual(rig.server.claims, [blue, blue]);
    assert.equal(state(rig), "failing");
    assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", new RegExp(`no address on subnets ${two}`));
    await rig.advance(5_000);
    assert.equal(state(rig), "served");
  });

  test("DA-180: a device that fails gives the new port back, and the reason is told", async () => {
    const rig = new AgentRig();
    rig.deviceManager.setupFailures.push(new NetloomError("COMMAND_FAILED", "no room for devices"));
    rig.server.commit(items);

    await rig.start();

    assert.deepEqual(rig.server.releases, [blue]);
    assert.equal(state(rig), "failing");
    assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /no room for devices/);
    await rig.advance(5_000);
    assert.equal(state(rig), "served");
    assert.deepEqual(rig.server.releases, [blue]);
  });

  test("a device that keeps failing is tried ever more rarely, though each try claims a port and gives it back", async () => {
    const rig = new AgentRig();
    const failure = new NetloomError("COMMAND_FAILED", "no room for devices");
    rig.deviceManager.setupFailures.push(...Array.from({ length: 1000 }, () => failure));
    rig.server.commit(items);
    await rig.start();

    await rig.advance(120_000);

    const tries = 1000 - rig.deviceManager.setupFailures.length;
    assert.ok(tries >= 4 && tries <= 12, `${tries} tries in two minutes`);
    rig.server.commit([portItem(makePort(7, blue, 1))]);
    await rig.advance(1000);
    assert.equal(1000 - rig.deviceManager.setupFailures.length, tries + 1, "news of others bring the next try forward");
  });

  test("DA-180: a port that was there keeps its address when a device fails", async () => {
    const rig = new AgentRig();
    rig.deviceManager.setupFailures.push(new NetloomError("COMMAND_FAILED", "no room for devices"));
    const port = ownPort([
      [one, "10.1.0.2"],
      [two, "10.2.0.2"],
    ]);
    rig.server.commit([...items, portItem(port)]);

    await rig.start();
    await rig.advance(5_000);

    assert.deepEqual(rig.server.releases, []);
    assert.deepEqual(rig.host.devices.get(blue), port);
  });

  test("DA-192: where nothing was made, only the port is given back", async () => {
    const rig = new AgentRig();
    const silent = [1, 2].map((n) => subnetItem(makeSubnet(n, blue, { enableDhcp: false })));
    rig.server.commit([networkItem(makeNetwork(1)), ...silent, portItem(ownPort([[one, "10.1.0.2"]]))]);

    await rig.start();

    assert.deepEqual(rig.server.releases, [blue]);
    assert.deepEqual([...rig.driver.calls, ...rig.deviceManager.calls], []);
  });

  test("DA-192: what was made is taken away before the port is given back", async () => {
    const rig = await startedRig();

    rig.server.commit([1, 2].map((n) => subnetItem(makeSubnet(n, blue, { enableDhcp: false, revision: 2 }))));
    await turnLoop();

    assert.equal(rig.host.devices.has(blue), false);
    assert.equal(rig.deviceManager.calls.at(-1)?.verb, "destroy");
    assert.deepEqual(rig.server.releases, [blue]);
  });

  test("DA-181: when there is no address for a port that was deleted, nothing goes on answering from the old one", async () => {
    const rig = await startedRig(portItem(makePort(5, blue, 1)));
    const port = rig.host.devices.get(blue);
    assert.ok(port !== undefined);
    rig.server.claimFailures.push(new NetloomError("CONFLICT", "no more addresses"));

    rig.server.commit([deleteItem(portItem(port))]);
    await turnLoop();

    assert.equal(state(rig), "degraded");
    assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /no more addresses/);
    assert.equal(rig.host.running.has(blue), false);
    assert.equal(rig.host.devices.has(blue), false);
  });
});
