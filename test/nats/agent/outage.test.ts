// The agent over a real nats-server, with the users and permissions that `netloom up` gives; the server's side is a fake.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startAgent, type RunningAgent } from "../../../src/agent/agent-program.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { Stop } from "../../../src/runtime/stop.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
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
} from "../../helpers/agent-items.ts";
import { FakeDeviceManager, FakeDhcpDriver, FakeHost } from "../../helpers/fake-dhcp-driver.ts";
import { askSubject } from "../../../src/messaging/subjects.ts";
import { agentStateSchema } from "../../../src/types/agent-state.ts";
import { FakeServer } from "../../helpers/fake-server.ts";
import { startTestNats, type TestNats } from "../../helpers/nats-server.ts";
import { createRandom, testSeed } from "../../helpers/random.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const host = "host-1";
const networks = [1, 2, 3];

interface Setting {
  readonly nats: TestNats;
  readonly server: FakeServer;
  readonly kernel: FakeHost;
  readonly emitLease: (lease: LeaseReport) => void;
  startAgent(): Promise<RunningAgent & { readonly end: () => Promise<void> }>;
}

async function prepare(t: TestContext, fenceAfterMs = 0): Promise<Setting> {
  const stateDir = await mkdtemp(join(tmpdir(), "netloom-agent-"));
  const nats = await startTestNats([{ role: "dhcp", host }]);
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
    await nats.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const server = new FakeServer({ bus: await nats.connectServer(), host, pageSize: 40 });
  server.commit(networks.flatMap((n) => [networkItem(makeNetwork(n)), subnetItem(makeSubnet(n, testNetworkId(n)))]));
  server.start();
  const kernel = new FakeHost();
  const listeners = new Set<(lease: LeaseReport) => void>();
  return {
    nats,
    server,
    kernel,
    emitLease: (lease) => listeners.forEach((listener) => listener(lease)),
    startAgent: async () => {
      const stop = new Stop({ log: silentLogger, timers: systemTimers, exit: () => {} });
      const running = await startAgent({
        settings: {
          host,
          stateDir,
          availabilityZone: "nova",
          reportIntervalMs: 200,
          concurrency: 4,
          fenceAfterMs,
          dhcp: { leaseSeconds: 600 },
        },
        bus: await nats.connectAgent("dhcp", host),
        driver: new FakeDhcpDriver(kernel),
        deviceManager: new FakeDeviceManager(kernel, host),
        leases: {
          onLease: (listener) => void listeners.add(listener),
          start: async () => {},
          close: async () => {},
        },
        ...{ clock: systemClock, timers: systemTimers, log: silentLogger, stop },
      });
      const end = (): Promise<void> => stop.stop("end of the test");
      ends.push(end);
      return { ...running, end };
    },
  };
}

/** What the host serves, and what the server wants it to serve, as lists that can be compared. */
function served({ kernel }: Setting): readonly string[] {
  return [...kernel.running.values()].flatMap(({ view }) => view.ports.map(({ id, revision }) => `${id} ${revision}`)).sort();
}

function wanted({ server }: Setting): readonly string[] {
  const ports = [...server.truth.values()].filter(({ kind }) => kind === "port");
  return ports.map(({ id, revision }) => `${id} ${revision}`).sort();
}

async function waitUntilRight(setting: Setting): Promise<void> {
  await waitFor(() => served(setting).join() === wanted(setting).join() && setting.kernel.running.size === networks.length, {
    limitMs: 15_000,
    what: "the host to serve what the server says",
  });
}

test("the agent syncs, serves, reports and beats with the permissions that it has", async (t) => {
  const setting = await prepare(t);
  const { server } = setting;
  const { ready } = await setting.startAgent();
  await ready;

  server.commit([portItem(makePort(5, testNetworkId(1), 1))]);
  await waitUntilRight(setting);
  setting.emitLease({
    event: "add",
    networkId: testNetworkId(1),
    ipAddress: "10.1.0.5",
    macAddress: null,
    hostname: null,
    expiresAtMs: null,
    observedAtMs: 1,
  });

  await waitFor(() => server.readyPorts.get(testPortId(5)) === 1, { limitMs: 10_000, what: "the report of the port" });
  await waitFor(() => server.leases.length === 1, { limitMs: 10_000, what: "the report of the lease" });
  await waitFor(() => server.heartbeats.some(({ phase, seen }) => phase === "ready" && seen.seq === server.head), {
    limitMs: 10_000,
    what: "a heartbeat that has seen everything",
  });
});

test("kill -9 of nats-server and of the agent during churn: in the end the host serves what the server says", async (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed} (NETLOOM_TEST_SEED)`);
  const random = createRandom(seed);
  const setting = await prepare(t);
  const { nats, server } = setting;
  let agent = await setting.startAgent();
  await agent.ready;

  for (let change = 0; change < 200; change += 1) {
    const n = random.below(60);
    const m = (n % networks.length) + 1;
    const known = server.truth.get(testPortId(n));
    if (known !== undefined && random.next() < 0.4) server.commit([deleteItem(known)]);
    else server.commit([portItem(makePort(n, testNetworkId(m), m, { revision: 10 + change }))]);
    if (change === 60) await nats.kill();
    if (change === 120) await nats.restart();
    if (change === 160) {
      await agent.end();
      agent = await setting.startAgent();
    }
    if (random.next() < 0.2) await new Promise((resolve) => setImmediate(resolve));
  }

  await waitUntilRight(setting);
  const truth = [...server.truth.values()].filter((item) => item.op === "upsert" && item.kind === "port");
  await waitFor(() => truth.every(({ id, revision }) => server.readyPorts.get(id) === revision), {
    limitMs: 10_000,
    what: "every port to be reported ready at its revision",
  });
});

test("a server that comes later than the agent is found", async (t) => {
  const setting = await prepare(t);
  setting.server.stop();
  const { ready } = await setting.startAgent();

  setting.server.start();
  await ready;

  await waitUntilRight(setting);
});

test("the agent answers how its networks are, also after an outage of NATS", async (t) => {
  const setting = await prepare(t);
  const { ready } = await setting.startAgent();
  await ready;
  const bus = await setting.nats.connectServer();
  const read = async (): Promise<readonly string[]> => {
    const reply = await bus.request(askSubject("dhcp", "state", host), {}, { timeoutMs: 10_000 });
    return agentStateSchema.parse(reply).networks.map(({ state }) => state);
  };
  assert.deepEqual(await read(), ["served", "served", "served"]);

  await setting.nats.kill();
  await setting.nats.restart();

  await waitFor(async () => (await read().catch(() => [])).length === 3, {
    limitMs: 10_000,
    what: "an answer after the outage",
  });
});

test("an agent that fences itself serves nothing while NATS is away, and everything again when it is back", async (t) => {
  const setting = await prepare(t, 1000);
  const { agent, ready } = await setting.startAgent();
  await ready;
  await waitUntilRight(setting);

  await setting.nats.kill();
  await waitFor(() => setting.kernel.running.size === 0 && setting.kernel.devices.size === 0, {
    limitMs: 10_000,
    what: "the host to fall silent",
  });
  const areFenced = (): boolean => [...agent.journal.status.values()].every(({ state }) => state === "fenced");
  await waitFor(areFenced, { limitMs: 10_000, what: "all networks to be told as fenced" });
  assert.equal(agent.journal.status.size, networks.length);
  await setting.nats.restart();

  await waitUntilRight(setting);
});

test("the agent ends while NATS is away and reconciles fail, and waits for no answer", async (t) => {
  const setting = await prepare(t);
  const agent = await setting.startAgent();
  await agent.ready;
  await setting.nats.kill();
  const own = [...setting.server.truth.values()].find((item) => item.kind === "port");
  assert.ok(own);
  agent.agent.applyItems([deleteItem(own)]);

  const startedAt = performance.now();
  await agent.end();

  // A request waits ten seconds for its answer; after four and a half the agent would leave, whatever is not closed.
  assert.ok(performance.now() - startedAt < 4500);
});
