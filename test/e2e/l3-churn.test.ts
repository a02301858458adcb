// 500 changes of floating IPs and port forwardings on 20 routers of one host, while both agents, the bus and VRRP processes are
// killed -9 at random moments. Afterwards the kernel has what the API says, element by element, and so do statuses; pings from
// outside to 20 floating IPs that nobody touched, two of them behind routers of high availability, lost at most one packet each; and when all is deleted nothing is left.
// NETLOOM_TEST_SEED repeats a run.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FloatingIpChurn } from "../helpers/floating-ip-churn.ts";
import { FloatingSite } from "../helpers/floating-site.ts";
import { findProcessesOf } from "../helpers/instance.ts";
import {
  type ChurnRouter,
  createChurnRouter,
  findRouterLeftOvers,
  plugGuest,
  removeChurnRouter,
  unplugGuest,
} from "../helpers/l3-churn-site.ts";
import { L3Kills } from "../helpers/l3-kills.ts";
import { findL3Differences } from "../helpers/l3-truth.ts";
import { sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { type PingCount, PingWatch } from "../helpers/ping-watch.ts";
import { createRandom, type Random, testSeed } from "../helpers/random.ts";
import { waitFor } from "../helpers/wait-for.ts";

const routerCount = 20;
/** Of these. */
const haRouters = 2;
const changes = 500;
const advertMs = 200;
/** Nothing, or why not yet. */
const expectNone = (found: readonly string[]): true => {
  if (found.length > 0) throw new Error(`${found.length}: ${found.slice(0, 20).join("; ")}`);
  return true;
};

const partOf = <T>(items: readonly T[], part: number): readonly T[] => items.filter((_, index) => index % 4 === part);
const parts = [0, 1, 2, 3] as const;

async function buildSite(site: FloatingSite, context: TestContext): Promise<readonly ChurnRouter[]> {
  const routers: ChurnRouter[] = [];
  context.after(() => Promise.all(routers.map(unplugGuest)));
  const all = Array.from({ length: routerCount }, (_, index) => index);
  await Promise.all(
    parts.map(async (part) => {
      for (const index of partOf(all, part)) {
        const router = await createChurnRouter(site, index, index < haRouters);
        routers.push(router);
        await plugGuest(router);
      }
    }),
  );
  return routers.toSorted((one, other) => one.index - other.index);
}

/** One for each router, in their order. */
async function watchAll(site: FloatingSite, routers: readonly ChurnRouter[]): Promise<readonly PingWatch[]> {
  const addresses: string[] = [];
  for (const { watched } of routers) {
    const body = { floating_network_id: site.externalId, port_id: watched.portId };
    addresses.push(String((await site.client.create("floatingip", body))["floating_ip_address"]));
  }
  await settle(site);
  for (const address of addresses) {
    const ping = (): Promise<string> => sh("ip", "netns", "exec", site.outside.namespace, "ping", "-c1", "-W1", address);
    await waitFor(ping, { limitMs: 10_000, what: `the first answer of ${address}` });
  }
  return Promise.all(addresses.map((address) => PingWatch.start(site.outside.namespace, address)));
}

/** Four clients. */
async function churn(clients: readonly FloatingIpChurn[], random: Random): Promise<void> {
  let done = 0;
  const work = async (client: FloatingIpChurn): Promise<void> => {
    while (done < changes) {
      done += 1;
      await client.changeOne();
      await delay(random.below(250));
    }
  };
  await Promise.all(clients.map(work));
}

/** Returns when the kernel and all statuses are as the API says. */
async function settle(site: FloatingSite): Promise<void> {
  const { client, up } = site;
  const findWrongStatuses = async (): Promise<true> => {
    const rows = await client.list("floatingip");
    const wrong = rows.filter((row) => row["status"] !== (row["router_id"] === null ? "DOWN" : "ACTIVE"));
    return expectNone(wrong.map((row) => `${String(row["floating_ip_address"])} is ${String(row["status"])}`));
  };
  await waitFor(findWrongStatuses, { limitMs: 30_000, what: "all statuses", everyMs: 200 });
  await waitFor(async () => expectNone(await findL3Differences(client, up.prefix)), {
    limitMs: 15_000,
    what: "the kernel to equal the API",
    everyMs: 500,
  });
}

/** With packets: whatever leads to a port is answered by its instance, whatever leads nowhere by nobody. */
async function findWrongAnswers(site: FloatingSite): Promise<readonly string[]> {
  const rows = await site.client.list("floatingip");
  const asked = rows.filter((row) => row["port_id"] !== null || row["router_id"] === null);
  const answers = await Promise.all(
    asked.map(async (row) => {
      const address = String(row["floating_ip_address"]);
      const ping = sh("ip", "netns", "exec", site.outside.namespace, "ping", "-n", "-c2", "-i0.2", "-W1", address);
      const isAnswered = await ping.then(
        (text) => text.includes("ttl=63"),
        () => false,
      );
      return isAnswered === (row["port_id"] !== null) ? [] : [`${address} was ${isAnswered ? "" : "not "}answered`];
    }),
  );
  return answers.flat();
}

function findLoss({ address, sent, missing }: PingCount): readonly string[] {
  if (missing.length <= 1 && sent > 50) return [];
  return [`of ${sent} pings to ${address} these were lost: ${missing.join(", ")}`];
}

async function removeAll(site: FloatingSite, routers: readonly ChurnRouter[], clients: readonly FloatingIpChurn[]) {
  const networks = (await site.client.list("network")).filter((row) => row["router:external"] !== true);
  const ids = [...networks, ...(await site.client.list("port"))].map(({ id }) => id);
  await Promise.all(clients.map((client) => client.removeAll()));
  for (const { id } of await site.client.list("floatingip")) await site.client.remove("floatingip", id);
  for (const router of routers) {
    await unplugGuest(router);
    await removeChurnRouter(site, router);
  }
  await waitFor(async () => expectNone(await findRouterLeftOvers(site, ids)), {
    ...{ limitMs: 20_000, what: "nothing to be left of the routers", everyMs: 200 },
  });
}

interface Life {
  /** Killing and changing are over. */
  isOver: boolean;
}

interface Churned {
  readonly kills: L3Kills;
  readonly clients: readonly FloatingIpChurn[];
}

async function churnWhileKilled(
  site: FloatingSite,
  routers: readonly ChurnRouter[],
  { seed, life }: { readonly seed: number; readonly life: Life },
): Promise<Churned> {
  const kills = new L3Kills(site.up, createRandom(seed ^ 0x5bd1e995));
  const killing = kills.run(() => life.isOver);
  const clients = parts.map((part) => {
    const mine = { client: site.client, externalId: site.externalId, routers: partOf(routers, part) };
    return new FloatingIpChurn({ ...mine, random: createRandom(seed + part) });
  });
  await churn(clients, createRandom(seed));
  life.isOver = true;
  await killing;
  await settle(site);
  return { kills, clients };
}

test("agents, bus and VRRP processes that are killed while floating IPs change leave the kernel as the API says, and untouched flows alone", {
  skip: skipWithoutRoot,
  timeout: 180_000,
}, async (context) => {
  const seed = testSeed();
  context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
  const life: Life = { isOver: false };
  const site = await FloatingSite.create([`--l3-ha-advert-ms=${advertMs}`]);
  context.after(async () => {
    life.isOver = true;
    await site.destroy();
  });
  const routers = await buildSite(site, context);
  const watches = await watchAll(site, routers);
  context.after(() => Promise.all(watches.map((watch) => watch.close())));

  const startedAt = performance.now();
  const { kills, clients } = await churnWhileKilled(site, routers, { seed, life });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  context.diagnostic(`${seconds} s until all was settled; killed ${JSON.stringify(kills.killed)}`);
  context.diagnostic(JSON.stringify(clients.map(({ made }) => made)));
  assert.deepEqual(await findWrongAnswers(site), []);
  const counts = await Promise.all(watches.map((watch) => watch.stop()));
  const sent = counts.reduce((sum, one) => sum + one.sent, 0);
  context.diagnostic(`${sent} pings; missing by router: ${counts.map(({ missing }) => missing.length).join(", ")}`);
  assert.deepEqual(counts.flatMap(findLoss), []);
  assert.ok(
    Object.values(kills.killed).every((count) => count > 0),
    JSON.stringify(kills.killed),
  );

  await removeAll(site, routers, clients);
  await site.up.stop();
  const down = await site.up.down();
  assert.equal(down.exitCode, 0, down.stderr);
  assert.deepEqual(await findProcessesOf(site.up.stateDir), []);
  assert.equal(existsSync(path.join(site.up.stateDir, "l3")), false);
});
