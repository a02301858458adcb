import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentFigures, formatMetrics } from "../../../src/agent/agent-metrics.ts";
import { createMetadataService } from "../../../src/agent/metadata-service.ts";
import { makePort, portItem } from "../../helpers/agent-items.ts";
import { turnLoop } from "../../helpers/agent-rig.ts";
import { blue, blueItems, startedRig } from "../../helpers/agent-scene.ts";
import { faultsOf } from "../../helpers/prometheus-text.ts";

async function readPage(changes: Partial<AgentFigures> = {}): Promise<string> {
  const rig = await startedRig(...blueItems);
  return formatMetrics({
    ...{
      counts: rig.cache.counts(),
      queue: rig.agent.queueStats,
      journal: rig.agent.journal,
      isConnected: true,
      isFenced: false,
    },
    ...{ reportsPending: 0, reportsDropped: 0, crashes: 0, events: 0, requests: 0, forks: 0 },
    ...{ driver: undefined, leases: undefined, metadata: undefined },
    ...changes,
  });
}

/** Names without prefix → values, of all lines that say one. */
async function read(changes: Partial<AgentFigures> = {}): Promise<ReadonlyMap<string, number>> {
  const text = await readPage(changes);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [name = "", value] = line.split(/ (?=[^ ]+$)/);
      return [name.replace("netloom_dhcp_agent_", ""), Number(value)];
    }),
  );
}

test("before the first event there is no figure by event, and every figure is a number", async () => {
  const metrics = await read({ events: 0, forks: 12, requests: 3 });

  assert.equal(metrics.has("forks_per_event"), false);
  assert.equal(metrics.has("rpc_per_event"), false);
  assert.deepEqual(
    [...metrics].filter(([, value]) => !Number.isFinite(value)),
    [],
  );
});

test("forks and requests are told by event", async () => {
  const metrics = await read({ events: 4, forks: 12, requests: 2 });

  assert.equal(metrics.get("forks_per_event"), 3);
  assert.equal(metrics.get("rpc_per_event"), 0.5);
  assert.equal(metrics.get("rpc_total"), 2);
});

test("a server whose counters cannot be read is counted, those of others are told", async () => {
  const counters = new Map([["dhcp_nak", 3]]);

  const without = await read({ leases: { leases: 0, serversOnBus: 0, counters: new Map() } });
  const all = await read({ leases: { leases: 0, serversOnBus: 1, counters } });

  assert.equal(without.get("servers_without_counters"), 1);
  assert.equal(without.has("dnsmasq_dhcp_nak"), false);
  assert.equal(all.get("servers_without_counters"), 0);
  assert.equal(all.get("dnsmasq_dhcp_nak"), 3);
});

test("metadata requests are told by status, where metadata are served", async () => {
  const requests = new Map([
    [200, 7],
    [429, 2],
  ]);
  const metrics = { networks: 2, listeners: 4, connections: 1, opened: 5, requests };
  const listeners = { apply: async () => {}, remove: async () => {}, metrics };
  const options = { isolated: true, force: false, metadataNetwork: false, hasIpv6: true };

  const told = await read({ metadata: createMetadataService(listeners, options).readFigures?.() });

  assert.equal(told.get('metadata_requests_total{status="200"}'), 7);
  assert.equal(told.get('metadata_requests_total{status="429"}'), 2);
  assert.equal(told.get("metadata_listeners"), 4);
  assert.equal((await read()).has("metadata_listeners"), false);
});

test("every request to a server counts", async () => {
  const rig = await startedRig(...blueItems);
  await rig.advance(10);
  const before = rig.api.requests;
  assert.equal(before, 3, "a sync, a claim and a report");

  rig.server.commit([portItem(makePort(7, blue, 1))]);
  await turnLoop();
  await rig.advance(10);

  assert.equal(rig.api.requests, before + 1, "the report of the new port");
});

const everything: Partial<AgentFigures> = {
  driver: { changeCpuMs: 12, droppedPackets: 3 },
  leases: { leases: 5, serversOnBus: 1, counters: new Map([["dhcp_nak", 3]]) },
  metadata: {
    ...{ networks: 1, listeners: 2, connections: 0, opened: 2 },
    requests: new Map([
      [200, 4],
      [404, 1],
    ]),
  },
  ...{ events: 4, forks: 2, requests: 3, isFenced: true },
};

test("the page is Prometheus text: what a sample means is said once, before it, and the last line ends", async () => {
  const page = await readPage(everything);

  assert.deepEqual(faultsOf(page), []);
  for (const name of ["reconcile_seconds_bucket", "udp_dropped_total", "forks_per_event", "dnsmasq_dhcp_nak"])
    assert.ok(page.includes(`\nnetloom_dhcp_agent_${name}`), name);
});

test("networks are counted by state, and a fence is told", async () => {
  const metrics = await read(everything);

  assert.equal(metrics.get('networks_by_state{state="served"}'), 1);
  assert.equal(metrics.get('networks_by_state{state="fenced"}'), 0);
  assert.equal(metrics.get("fenced"), 1);
  assert.equal((await read()).get("fenced"), 0);
});
