// The start of an agent, and the program around it: what it asks first, what runs how often, when it counts as ready.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { type RunningAgent, startAgent } from "../../../src/agent/agent-program.ts";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { Stop } from "../../../src/runtime/stop.ts";
import type { StreamItem } from "../../../src/types/agent-messages.ts";
import { deleteItem, makePort, portItem, testNetworkId, testPortId } from "../../helpers/agent-items.ts";
import { AgentRig, rigHost, turnLoop } from "../../helpers/agent-rig.ts";
import {
  applies,
  bareItems,
  blue,
  blueItems,
  red,
  redItems,
  removals,
  restartedRig,
  startedRig,
} from "../../helpers/agent-scene.ts";
import { FakeHub } from "../../helpers/fake-bus.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { FakeDeviceManager, FakeDhcpDriver, FakeHost } from "../../helpers/fake-dhcp-driver.ts";
import { FakeServer } from "../../helpers/fake-server.ts";
import { waitFor } from "../../helpers/wait-for.ts";

class Program {
  readonly clock = new FakeClock();
  readonly host = new FakeHost();
  readonly driver = new FakeDhcpDriver(this.host);
  readonly hub = new FakeHub();
  readonly server = new FakeServer({ bus: this.hub.connect(), host: rigHost, pageSize: 1 });
  readonly #stateDir: string;

  constructor(stateDir: string, items: readonly StreamItem[]) {
    this.#stateDir = stateDir;
    this.server.commit(items);
    this.server.trimOutbox();
    this.server.start();
  }

  static async create(t: TestContext, items: readonly StreamItem[]): Promise<Program> {
    const stateDir = await mkdtemp(join(tmpdir(), "netloom-start-"));
    t.after(async () => rm(stateDir, { recursive: true, force: true }));
    return new Program(stateDir, items);
  }

  async start(): Promise<RunningAgent & { readonly end: () => Promise<void> }> {
    const { clock, hub, driver, host } = this;
    const stop = new Stop({ log: silentLogger, timers: clock, exit: () => {} });
    const running = await startAgent({
      settings: {
        ...{ host: rigHost, stateDir: this.#stateDir, availabilityZone: "nova", dhcp: { leaseSeconds: 600 } },
        ...{ reportIntervalMs: 5000, concurrency: 4 },
      },
      ...{ bus: hub.connect(), driver, deviceManager: new FakeDeviceManager(host, rigHost), clock, timers: clock },
      leases: { onLease: () => {}, start: async () => {}, close: async () => {} },
      ...{ log: silentLogger, stop },
    });
    return { ...running, end: () => stop.stop("end of the test") };
  }
}

describe("an agent that starts", () => {
  test("DA-002: knows what is on its host before it knows what should be there", async () => {
    const first = await startedRig(...blueItems, ...redItems);
    const second = new AgentRig({ before: first });

    assert.deepEqual([...(await second.agent.readInventory())].toSorted(), [blue, red]);
    assert.deepEqual(second.cache.networkIds(), []);
    assert.deepEqual(second.driver.calls, []);
  });

  test("DA-002: serves its networks though it cannot see what is on its host, and looks again", async () => {
    const first = await startedRig(...blueItems, ...redItems);
    await first.kill();
    const gone = [...first.server.truth.values()].filter(({ networkId }) => networkId === red);
    first.server.commit([...gone.map(deleteItem), ...bareItems(3)]);
    first.server.trimOutbox();
    const rig = new AgentRig({ before: first });
    rig.driver.listFailures.push(new Error("no such directory"));
    await rig.start();
    const third = testNetworkId(3);
    assert.deepEqual([...rig.host.running.keys()].toSorted(), [blue, red, third]);

    await rig.advance(2000);

    assert.equal(rig.log("inventory failed, will be repeated").length, 1);
    assert.deepEqual([...rig.host.running.keys()].toSorted(), [blue, third]);
  });

  test("DA-004, DA-005: syncs once, looks for dead servers in one loop and reports each port once", async () => {
    const rig = await startedRig(...blueItems, portItem(makePort(7, blue, 1)));
    await rig.advance(20_000);

    assert.equal(rig.server.syncs.length, 1);
    assert.equal(rig.driver.searches, 40, "one look each half second");
    const reported = rig.server.reports.flatMap(({ readyPorts }) => readyPorts.map(({ id }) => id));
    assert.deepEqual([...new Set(reported)].toSorted(), reported.toSorted());
    assert.ok(reported.includes(testPortId(5)) && reported.includes(testPortId(7)));
  });

  test("DA-006: removes what it finds and nobody wants, and nothing when all is wanted", async () => {
    const first = await startedRig(...[1, 2, 3].flatMap(bareItems));
    const same = await restartedRig(first);
    assert.deepEqual(removals(same), []);
    await same.kill();
    for (const n of [2, 3]) for (const { id } of bareItems(n)) first.server.truth.delete(id);
    first.server.trimOutbox();
    const rig = new AgentRig({ before: same });

    await rig.start();

    assert.deepEqual([...removals(rig)].toSorted(), [red, testNetworkId(3)]);
    assert.deepEqual([...rig.host.running.keys()], [blue]);
  });

  test("DA-007: removes the network that it knew and serves the one that is new", async () => {
    const first = await startedRig(...bareItems(2));
    for (const { id } of bareItems(2)) first.server.truth.delete(id);
    first.server.commit(bareItems(1));
    first.server.trimOutbox();

    const rig = await restartedRig(first);

    assert.deepEqual(removals(rig), [red]);
    assert.deepEqual(applies(rig), [blue]);
  });

  test("DA-008: is ready when the last of its networks is, whatever their order", async () => {
    const rig = new AgentRig();
    const gates = new Map([1, 2, 3].map((n) => [testNetworkId(n), Promise.withResolvers<void>()]));
    rig.driver.onApply = ({ view }) => gates.get(view.network.id)?.promise;
    rig.server.commit([1, 2, 3].flatMap(bareItems));
    let isReady = false;
    void rig.agent.whenReady().then(() => {
      isReady = true;
    });
    await rig.start();

    for (const n of [3, 1]) gates.get(testNetworkId(n))?.resolve();
    await turnLoop();
    assert.equal(isReady, false);
    gates.get(testNetworkId(2))?.resolve();
    await turnLoop();

    assert.equal(isReady, true);
  });

  test("DA-021: names its start in all that it says, and touches nothing before the first sync was answered", async (t) => {
    const program = await Program.create(t, blueItems);
    program.server.syncFailures.push(new NetloomError("UNAVAILABLE", "starting"));
    const first = await program.start();
    await turnLoop();
    assert.deepEqual(program.driver.calls, []);
    assert.deepEqual(
      program.server.heartbeats.map(({ phase }) => phase),
      ["starting", "syncing"],
    );

    await program.clock.advance(1000);
    await turnLoop();
    await first.ready;
    await first.end();
    const second = await program.start();
    await turnLoop();
    await second.end();

    assert.ok(program.host.running.has(blue));
    const boots = program.server.heartbeats.map(({ agent }) => agent.bootId);
    const perBoot = Map.groupBy(program.server.heartbeats, ({ agent }) => agent.bootId);
    assert.equal(perBoot.size, 2);
    assert.deepEqual(
      boots,
      [...perBoot].flatMap(([id, beats]) => beats.map(() => id)),
      "one after the other",
    );
    for (const [, beats] of perBoot) assert.equal(beats[0]?.phase, "starting");
  });

  test("DA-028: beats on while a sync takes a minute, and says that it is syncing", async (t) => {
    const program = await Program.create(t, blueItems);
    const gate = Promise.withResolvers<void>();
    program.server.betweenPages = () => gate.promise;
    const running = await program.start();
    await turnLoop();
    const before = program.server.heartbeats.length;

    await program.clock.advance(60_000);
    await turnLoop();

    const during = program.server.heartbeats.slice(before);
    assert.equal(during.length, 12);
    assert.ok(during.every(({ phase }) => phase === "syncing"));
    gate.resolve();
    await running.ready;
    await waitFor(() => program.server.heartbeats.at(-1)?.phase === "ready", {
      limitMs: 10_000,
      what: "a beat that says ready",
    });
    await running.end();
  });
});
