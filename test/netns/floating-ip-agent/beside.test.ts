// The floating-IP agent in a process of somebody else, as the L3 agent has it: its own identity, somebody else's coprocesses.
import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { readyDirectory, readyFile } from "../../../src/drivers/l3-layout.ts";
import { NftFloatingIpDriver } from "../../../src/drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { startFloatingIpAgentBeside } from "../../../src/floating-ip-agent/beside.ts";
import { NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../../src/linux/nft-shell-pool.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import { FakeFloatingIpServer } from "../../helpers/fake-floating-ip-server.ts";
import { floatingIpItem } from "../../helpers/floating-ip-items.ts";
import { createFloatingIpRig, type FloatingIpRig } from "../../helpers/floating-ip-rig.ts";
import { createTestDirectory, skipWithoutRoot, type TestDirectory } from "../../helpers/namespaces.ts";
import { startTestNats, type TestNats } from "../../helpers/nats-server.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const host = "host-beside";

describe("the floating-IP agent beside another", { skip: skipWithoutRoot }, () => {
  let rig: FloatingIpRig;
  let directory: TestDirectory;
  let nats: TestNats;
  const nft = new NftShellPool();
  const worker = new NamespaceWorker();
  const stops: (() => Promise<void> | void)[] = [];
  const start = () =>
    startFloatingIpAgentBeside({
      settings: {
        ...{ host, stateDir: directory.path, namespacePrefix: "", availabilityZone: "nova", reportIntervalMs: 5000 },
        ...{ concurrency: 4, resyncIntervalMs: 60_000, resyncThrottleMs: 250 },
        nats: { url: nats.url, nkeySeedFile: nats.credentials.get(`fip-${host}`)?.seedFile },
      },
      driver: new NftFloatingIpDriver({ nft, worker, log: silentLogger }),
      ...{ clock: systemClock, timers: systemTimers, log: silentLogger },
      stop: { onStop: (_, close) => void stops.unshift(close) },
    });

  beforeEach(async () => {
    rig = await createFloatingIpRig(1);
    directory = await createTestDirectory();
    nats = await startTestNats([
      { role: "l3", host },
      { role: "fip", host },
    ]);
    await mkdir(readyDirectory(directory.path), { recursive: true });
    const file = readyFile(directory.path, rig.place.routerId);
    await writeFile(`${file}.new`, JSON.stringify(rig.place));
    await rename(`${file}.new`, file);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await nft.close();
    await worker.close();
    await nats.close();
    await rig.close();
    await directory.remove();
  });

  test("serves as itself, and is the only one of its state directory", async () => {
    const server = new FakeFloatingIpServer({ bus: await nats.connectServer(), host });
    server.commit([floatingIpItem(11, 1, { routerId: rig.place.routerId })]);

    const { ready } = await start();
    await ready;

    assert.equal(await rig.pings(rig.outside, "203.0.113.11"), true);
    await waitFor(() => server.statuses["fip 11"] === "ACTIVE 1", { limitMs: 10_000, what: "ACTIVE" });
    const beat = await waitFor(() => server.heartbeats.at(-1), { limitMs: 10_000, what: "a heartbeat" });
    assert.equal(beat.agent.agentType, "Floating IP agent");
    await assert.rejects(start(), /another floating IP agent \(pid \d+\) uses state directory/);
  });
});
