// 1,000 creates and deletes of ports with few addresses, so that they are used again at once, on 20 networks, while the agent, the
// servers and the lease bus are killed -9 at random moments. All the while clients ask: nobody gets an address that the API does
// not list for it, nobody whose port was announced ready waits longer than two seconds (the time in which the network's server and
// the agent that would start it again are dead together is not counted, but told), and when all is deleted nothing is left on the host. NETLOOM_TEST_SEED repeats a run.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ChurnKills } from "../helpers/churn-kills.ts";
import { ChurnNetwork } from "../helpers/churn-network.ts";
import { findProcessesOf } from "../helpers/instance.ts";
import { deviceNames, skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp } from "../helpers/netloom-up.ts";
import { createRandom, type Random, testSeed } from "../helpers/random.ts";
import type { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const networkCount = 20;
const operations = 1000;

/** Four clients, each with networks of its own, so that the list of what lives is right. */
async function churn(networks: readonly ChurnNetwork[], random: Random): Promise<void> {
  let done = 0;
  const worker = async (mine: readonly ChurnNetwork[]): Promise<void> => {
    while (done < operations) {
      done += 1;
      await random.pick(mine).changeOne(random);
      await delay(random.below(60));
    }
  };
  await Promise.all([0, 1, 2, 3].map((part) => worker(networks.filter((_, index) => index % 4 === part))));
}

/** One list tells of all; a port is taken for ready when the list that says so has come. */
async function followReady(client: RestClient, networks: readonly ChurnNetwork[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const active = await client.list("port", "?status=ACTIVE&fields=id");
    const ids = new Set(active.map(({ id }) => id));
    for (const network of networks) network.noteReady(ids);
    await delay(150);
  }
}

async function findLeftOvers(up: NetloomUp, networks: readonly ChurnNetwork[]): Promise<readonly string[]> {
  const namespaces = await readdir("/run/netns").catch(() => []);
  const directories = await readdir(path.join(up.stateDir, "dhcp")).catch(() => []);
  const devices = await deviceNames();
  const servers = await findProcessesOf(up.stateDir, "dnsmasq");
  return [
    // The L3 agent keeps blank ones for its next routers.
    ...namespaces.filter((name) => name.startsWith(up.prefix) && !name.startsWith(`${up.prefix}qspare-`)),
    ...directories.filter((name) => networks.some(({ id }) => id === name)),
    ...networks.filter(({ bridge }) => devices.has(bridge)).map(({ bridge }) => bridge),
    ...servers.map((pid) => `dnsmasq ${pid}`),
  ];
}

async function createNetworks(context: TestContext, up: NetloomUp, client: RestClient): Promise<readonly ChurnNetwork[]> {
  const names = Array.from({ length: networkCount }, (_, index) => `churn-${index}`);
  const networks = await Promise.all(names.map((name) => ChurnNetwork.create(up, client, name)));
  context.after(() => Promise.all(networks.map((network) => network.detach())));
  await Promise.all(networks.map((network) => network.attach()));
  return networks;
}

test("agents, servers and buses that are killed while addresses change hands give nobody a wrong one, keep nobody waiting and leave nothing", {
  skip: skipWithoutRoot,
  timeout: 180_000,
}, async (context) => {
  const seed = testSeed();
  context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
  const up = await NetloomUp.create();
  let isOver = false;
  context.after(async () => {
    // What goes on besides would go on for ever after a failure.
    isOver = true;
    await up.destroy();
  });
  await up.start();
  const client = up.client();
  context.after(() => client.close());
  const networks = await createNetworks(context, up, client);

  const over = (): boolean => isOver;
  const ids = networks.map(({ id }) => id);
  const kills = new ChurnKills(up, ids, createRandom(seed ^ 0x5bd1e995));
  const churning = churn(networks, createRandom(seed)).finally(() => {
    isOver = true;
  });
  await Promise.all([
    churning,
    kills.run(over),
    kills.follow(over),
    followReady(client, networks, over),
    ...networks.map((network, index) => network.watch({ random: createRandom(seed + index), isOver: over, kills })),
  ]);
  const { killed } = kills;
  const waited = networks.flatMap(({ waitedMs }) => waitedMs);
  const excusedMs = networks.reduce((sum, network) => sum + network.excusedMs, 0);
  context.diagnostic(
    `killed ${JSON.stringify(killed)}; ${waited.length} answers, the latest after ${Math.max(...waited).toFixed(0)} ms; ${excusedMs.toFixed(0)} ms without agent and server not counted`,
  );

  // Nothing tells when a deletion is in force, but the agent hears of changes in their order: it is when a later port is ready.
  await Promise.all(networks.map((network) => network.createPort()));
  await waitFor(async () => (await client.list("port", "?status=DOWN")).length === 0, {
    limitMs: 30_000,
    what: "all ports ACTIVE after the last kill",
  });
  for (let at = 0; at < networks.length; at += 5) {
    await Promise.all(networks.slice(at, at + 5).map((network) => network.askAll()));
  }
  assert.deepEqual(
    networks.flatMap(({ faults }) => faults),
    [],
  );
  assert.ok(
    Object.values(killed).every((count) => count > 0),
    JSON.stringify(killed),
  );
  assert.ok(waited.length > 300, `only ${waited.length} answers`);
  const reused = networks.reduce((sum, { ledger }) => sum + ledger.reuses, 0);
  assert.ok(reused > 100, `only ${reused} addresses were used again`);

  for (const network of networks) {
    await network.detach();
    for (const tenure of network.ledger.living) await network.removePort(tenure);
    await client.remove("network", network.id);
  }
  await waitFor(
    async () =>
      ((found) => found.length === 0 || Promise.reject(new Error(found.join(", "))))(await findLeftOvers(up, networks)),
    {
      limitMs: 20_000,
      what: "nothing to be left of the networks",
    },
  );
  await up.stop();
  const down = await up.down();
  assert.equal(down.exitCode, 0, down.stderr);
  assert.deepEqual(await findProcessesOf(up.stateDir), []);
  assert.equal(existsSync(path.join(up.stateDir, "dhcp")), false);
});
