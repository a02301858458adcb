import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { DhcpAgent } from "../../../src/agent/dhcp-agent.ts";
import { DhcpPluginApi } from "../../../src/agent/dhcp-plugin-api.ts";
import { StatusReporter } from "../../../src/agent/status-reporter.ts";
import { StreamConsumer } from "../../../src/agent/stream-consumer.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { NetworkCache } from "../../../src/cache/network-cache.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeDeviceManager, FakeDhcpDriver, FakeHost } from "../../helpers/fake-dhcp-driver.ts";
import { admin, idOf } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const limit = { limitMs: 10_000 };

/** The whole agent but for the host below it, which is fake. */
async function startRealAgent(rig: ServerRig, host: string): Promise<() => Promise<void>> {
  const [clock, timers, log, bus, kernel] = [systemClock, systemTimers, silentLogger, rig.hub.connect(), new FakeHost()];
  const api = new DhcpPluginApi({ bus, host });
  const reporter = new StatusReporter({ send: (report) => api.reportStatus(report), timers, log });
  const cache = new NetworkCache({ clock });
  const [driver, deviceManager] = [new FakeDhcpDriver(kernel), new FakeDeviceManager(kernel, host)];
  const agent = new DhcpAgent({ host, cache, driver, deviceManager, api, reporter, clock, timers, log, concurrency: 2 });
  const describe = () => rig.agent(host).description;
  const wire = { bus, role: "dhcp", host, sink: agent, describe, clock, timers, log } as const;
  const consumer = new StreamConsumer({ ...wire, sync: (request) => api.sync(request) });
  agent.start();
  consumer.start();
  await agent.whenReady();
  return async () => {
    consumer.close();
    await bus.close();
    await agent.close();
  };
}

forEachDatabase((_name, openFresh) => {
  const closers: (() => Promise<void>)[] = [];
  const start = async (): Promise<ServerRig> => {
    const rig = await ServerRig.start(await openFresh());
    closers.push(() => rig.close());
    return rig;
  };
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const status = async (rig: ServerRig, id: string): Promise<unknown> => (await rig.showPort(id))["status"];
  const update = (rig: ServerRig, id: string, changes: Attributes): Promise<Attributes> =>
    rig.parts.services.ports.update(admin, id, changes);
  const report = (agent: RawAgent, id: string, revision: unknown): Promise<unknown> =>
    agent.report({ readyPorts: [{ id, revision }] });

  const rebindings: readonly { readonly what: string; readonly changes: Attributes; readonly bound: boolean }[] = [
    { what: "a host", changes: { "binding:host_id": "node-1" }, bound: false },
    { what: "another host", changes: { "binding:host_id": "node-2" }, bound: true },
    { what: "no host", changes: { "binding:host_id": "" }, bound: true },
    { what: "another profile", changes: { "binding:profile": { slot: 1 } }, bound: true },
    { what: "another MAC", changes: { mac_address: "fa:16:3e:00:00:01" }, bound: true },
    { what: "a new life", changes: { admin_state_up: true }, bound: true },
  ];
  for (const { what, changes, bound } of rebindings) {
    test(`a port with ${what} is DOWN until an agent serves it as it is now`, async () => {
      const rig = await start();
      const agent = rig.agent("node-1");
      await agent.sync();
      const { networkId } = await rig.network();
      await rig.agent("node-2").sync();
      const id = idOf(await rig.port(networkId, bound ? { "binding:host_id": "node-1" } : {}));
      await report(agent, id, 1);
      if (what === "a new life") await update(rig, id, { admin_state_up: false });
      else assert.equal(await status(rig, id), "ACTIVE");

      const changed = await update(rig, id, changes);

      assert.equal(changed["status"], "DOWN");
      const told = (): boolean => agent.items.some((item) => item.id === id && item.revision === changed["revision_number"]);
      await waitFor(told, { ...limit, what: "the agent to be told the new revision" });
      await report(agent, id, Number(changed["revision_number"]) - 1);
      assert.equal(await status(rig, id), "DOWN", "a word about the port as it was counts for nothing");
      await report(agent, id, changed["revision_number"]);
      assert.equal(await status(rig, id), "ACTIVE");
    });
  }

  test("a device that the bridge cannot give leaves the port DOWN, whoever serves it", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();
    const id = idOf(await rig.port(networkId, { "binding:host_id": "node-1" }));
    await report(agent, id, 1);

    const failed = await update(rig, id, { "binding:vnic_type": "direct" });
    await report(agent, id, failed["revision_number"]);

    assert.deepEqual([failed["binding:vif_type"], await status(rig, id)], ["binding_failed", "DOWN"]);
    const mended = await update(rig, id, { "binding:vnic_type": "normal" });
    await report(agent, id, mended["revision_number"]);
    assert.deepEqual([mended["binding:vif_type"], await status(rig, id)], ["bridge", "ACTIVE"]);
  });

  test("a new name leaves a port ACTIVE, and so does a new MAC while it is plugged nowhere", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network();
    const id = idOf(await rig.port(networkId));
    await report(agent, id, 1);

    assert.equal((await update(rig, id, { name: "web", "binding:host_id": "", "binding:profile": {} }))["status"], "ACTIVE");
    assert.equal((await update(rig, id, { mac_address: "fa:16:3e:00:00:01" }))["status"], "ACTIVE");
  });

  test("the agent brings a port that is bound anew back by itself", async () => {
    const rig = await start();
    closers.push(await startRealAgent(rig, "node-1"));
    const { networkId } = await rig.network();
    const id = idOf(await rig.port(networkId));
    const isActive = async (): Promise<boolean> => (await status(rig, id)) === "ACTIVE";
    await waitFor(isActive, { ...limit, what: "the port ACTIVE" });

    for (const changes of [{ "binding:host_id": "node-1" }, { "binding:profile": { slot: 2 } }, { "binding:host_id": "" }]) {
      assert.equal((await update(rig, id, changes))["status"], "DOWN");
      await waitFor(isActive, { ...limit, what: `the port ACTIVE after ${JSON.stringify(changes)}` });
    }
  });
});
