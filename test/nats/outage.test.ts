import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DhcpPluginApi } from "../../src/agent/dhcp-plugin-api.ts";
import { StreamConsumer } from "../../src/agent/stream-consumer.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { createTrace, parseTraceparent, withTrace } from "../../src/base/trace-context.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { composeServer, type ServerParts } from "../../src/server/compose.ts";
import { openStore, type Store } from "../../src/server/store/database.ts";
import type { StreamItem, SyncReply } from "../../src/types/agent-messages.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { admin, createOne, everything, idOf } from "../helpers/network-services.ts";
import { RawAgent } from "../helpers/raw-agent.ts";
import { waitFor } from "../helpers/wait-for.ts";

const hosts = ["node-1", "node-2"] as const;
const limit = { limitMs: 15_000, everyMs: 50 };

/** The copy that an agent keeps, and how often it had to ask. */
class Copy {
  readonly ids = new Set<string>();
  readonly syncs: SyncReply["mode"][] = [];
  readonly raw: RawAgent;
  readonly consumer: StreamConsumer;
  #named = new Set<string>();

  constructor(raw: RawAgent) {
    const api = new DhcpPluginApi({ bus: raw.bus, host: raw.host });
    this.raw = raw;
    this.consumer = new StreamConsumer({
      bus: raw.bus,
      role: "dhcp",
      host: raw.host,
      sink: {
        applyItems: (items) => items.forEach((item) => this.#apply(item)),
        beginSnapshot: () => this.#named.clear(),
        endSnapshot: () => [...this.ids].filter((id) => !this.#named.has(id)).forEach((id) => this.ids.delete(id)),
        abortSnapshot: () => {},
        onSynced: () => {},
        dropNetworks: () => {},
      },
      sync: async (request) => {
        const reply = await api.sync(request);
        this.syncs.push(reply.mode);
        return reply;
      },
      describe: () => raw.description,
      clock: systemClock,
      timers: systemTimers,
      log: silentLogger,
    });
    this.consumer.start();
  }

  #apply(item: StreamItem): void {
    this.#named.add(item.id);
    if (item.op === "delete") this.ids.delete(item.id);
    else this.ids.add(item.id);
  }
}

let directory: string;
let nats: TestNats;
let store: Store;
let server: ServerParts;
let copies: readonly Copy[] = [];
let networkIds: readonly string[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-outage-"));
  nats = await startTestNats(hosts.map((host) => ({ role: "dhcp", host })));
  store = await openStore(`sqlite:${join(directory, "test.db")}`, silentLogger);
  const bus = await nats.connectServer();
  server = await composeServer({
    store,
    bus,
    clock: systemClock,
    log: silentLogger,
    agentsPerNetwork: 1,
    dnsDomain: "openstacklocal",
  });
  copies = await Promise.all(hosts.map(async (host) => new Copy(new RawAgent(await nats.connectAgent("dhcp", host), host))));
  await waitFor(() => copies.every(({ syncs }) => syncs.length > 0), { ...limit, what: "both to have synced" });
  const made: string[] = [];
  for (let n = 0; n < 4; n += 1) {
    const networkId = idOf(await createOne(server.services.networks, {}));
    await createOne(server.services.subnets, { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/16", enable_dhcp: true });
    made.push(networkId);
  }
  networkIds = made;
});

after(async () => {
  for (const { consumer } of copies) consumer.close();
  await server.close();
  await nats.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

/** Every object of the networks that this host serves. */
async function truth(host: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const networkId of networkIds) {
    const agents = await server.services.agents.listForNetwork(admin, networkId);
    if (!agents.some((agent) => agent["host"] === host)) continue;
    const query = { ...everything, filters: [{ attribute: "network_id", values: [networkId] }] };
    const parts = [...(await server.services.subnets.list(admin, query)), ...(await server.services.ports.list(admin, query))];
    ids.push(networkId, ...parts.map(idOf));
  }
  return ids.toSorted();
}

async function assertAllEqual(): Promise<void> {
  for (const copy of copies) {
    const wanted = await truth(copy.raw.host);
    assert.ok(wanted.length > 1, `${copy.raw.host} hosts nothing`);
    const isEqual = (): boolean => JSON.stringify([...copy.ids].toSorted()) === JSON.stringify(wanted);
    await waitFor(isEqual, {
      ...limit,
      what: `${copy.raw.host} to know all ${wanted.length} objects, it knows ${copy.ids.size}`,
    });
  }
}

test("while nothing is lost nobody asks again", async () => {
  for (const networkId of networkIds) await createOne(server.services.ports, { network_id: networkId });

  await assertAllEqual();
  assert.deepEqual(
    copies.map(({ syncs }) => syncs.length),
    [1, 1],
  );
});

test("an event carries the trace of the request that caused it", async () => {
  const trace = createTrace();

  const port = await withTrace(trace, () => createOne(server.services.ports, { network_id: networkIds[0] ?? "" }));

  const item = await waitFor(() => copies.flatMap(({ raw }) => raw.items).find(({ id }) => id === idOf(port)), {
    ...limit,
    what: "the event",
  });
  assert.equal(parseTraceparent(item.traceparent)?.traceId, trace.traceId);
});

test("NATS is killed again and again while ports come and go: every copy ends up equal to the database", async () => {
  const alive: string[] = [];
  let isChurning = true;
  const churn = (async () => {
    for (let n = 0; isChurning; n += 1) {
      const networkId = networkIds[n % networkIds.length] ?? "";
      alive.push(idOf(await createOne(server.services.ports, { network_id: networkId })));
      const victim = n % 3 === 2 ? alive.shift() : undefined;
      if (victim !== undefined) await server.services.ports.remove(admin, victim);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();

  for (let round = 0; round < 3; round += 1) {
    const before = alive.length;
    await waitFor(() => alive.length > before + 10, { ...limit, what: "some ports" });
    await nats.kill();
    const during = alive.length;
    await waitFor(() => alive.length > during + 10, { ...limit, what: "ports during the outage" });
    await nats.restart();
    await waitFor(() => copies.every(({ raw }) => raw.bus.isConnected), { ...limit, what: "both agents to be back" });
  }
  isChurning = false;
  await churn;

  await assertAllEqual();
  assert.ok(
    copies.every(({ syncs }) => syncs.slice(1).every((mode) => mode === "delta")),
    "an outage cost a snapshot",
  );
});

test("a message that got lost on the wire is noticed with the next one", async () => {
  const syncs = copies.map((copy) => copy.syncs.length);
  // Committed past the publisher's eyes: it takes the row for published, as if its message had been lost.
  const hosting = await server.services.agents.listForNetwork(admin, networkIds[0] ?? "");
  const host = String(hosting[0]?.["host"]);
  await store.db
    .updateTable("streams")
    .set((eb) => ({ head: eb("head", "+", 1) }))
    .where("host", "=", host)
    .execute();

  await createOne(server.services.ports, { network_id: networkIds[0] ?? "" });

  await assertAllEqual();
  const at = hosts.findIndex((one) => one === host);
  await waitFor(() => (copies[at]?.syncs.length ?? 0) > (syncs[at] ?? 0), { ...limit, what: "a sync because of the gap" });
});
