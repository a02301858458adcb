// The agent is killed at random moments while floating IPs change on many routers. Afterwards the kernel has what the server said,
// element by element, and flows of floating IPs that nobody touched went on.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FloatingIpHost } from "../../helpers/floating-ip-host.ts";
import type { FloatingIpRig } from "../../helpers/floating-ip-rig.ts";
import { floatingIpItem, forwardingItem, goneItem } from "../../helpers/floating-ip-items.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { keepPinging, type Pinging } from "../../helpers/packets.ts";
import { createRandom, type Random, testSeed } from "../../helpers/random.ts";
import type { FloatingIpItem } from "../../../src/types/l3-messages.ts";

const routers = 20;
const changes = 500;
const kills = 5;
/** Floating IPs of each router that change; 203.0.113.1 is the gateway. */
const perRouter = 12;

/** Moves each floating IP at random between absent, mapped to some instance and carrying a port forwarding. */
class Churn {
  readonly #random: Random;
  readonly #rigs: readonly FloatingIpRig[];
  readonly #there = new Map<number, readonly FloatingIpItem[]>();
  #revision = 10;

  constructor(random: Random, rigs: readonly FloatingIpRig[]) {
    this.#random = random;
    this.#rigs = rigs;
  }

  next(): readonly FloatingIpItem[] {
    const n = 1 + this.#random.below(this.#rigs.length * perRouter);
    const routerId = this.#rigs[(n - 1) % this.#rigs.length]?.place.routerId;
    if (routerId === undefined) return [];
    const floatingIp = `203.0.113.${20 + Math.floor((n - 1) / this.#rigs.length)}`;
    const before = this.#there.get(n) ?? [];
    this.#revision += 1;
    const revision = this.#revision;
    const wish = this.#random.below(3);
    const fixedIp = wish === 1 ? `10.0.${1 + this.#random.below(3)}.${n}` : null;
    const port = wish === 2 ? [forwardingItem(n, revision, { floatingIp, routerId, internalIp: "10.0.0.12" })] : [];
    const portId = fixedIp === null ? { portId: null } : {};
    const upserts = wish === 0 ? [] : [floatingIpItem(n, revision, { floatingIp, routerId, fixedIp, ...portId }), ...port];
    const kept = new Set(upserts.map(({ kind, id }) => `${kind} ${id}`));
    const gone = before.filter(({ kind, id }) => !kept.has(`${kind} ${id}`)).map((item) => goneItem(item, revision));
    this.#there.set(n, upserts);
    return [...gone, ...upserts];
  }
}

test("killed at random while 500 floating IPs change on 20 routers", { skip: skipWithoutRoot, timeout: 240_000 }, async (t) => {
  const seed = testSeed();
  t.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
  const random = createRandom(seed);
  const host = await FloatingIpHost.create();
  after(() => host.close());
  const rigs: FloatingIpRig[] = [];
  for (let index = 0; index < routers; index += 1) rigs.push(await host.addRouter(index < 2 ? 1 : 0));
  const watched = rigs.slice(0, 2);
  host.server.commit(watched.map(({ place }, n) => floatingIpItem(900 + n, 1, served(place.routerId))));
  await host.start();
  const pings: Pinging[] = [];
  after(async () => {
    for (const ping of pings) await ping.close();
  });
  for (const rig of watched) {
    await host.waitForTruth(rig);
    pings.push(await keepPinging(rig.outside, servedAddress));
  }

  const churn = new Churn(random, rigs);
  const killAt = new Set(Array.from({ length: kills }, () => random.below(changes)));
  let starting: Promise<void> = Promise.resolve();
  for (let change = 0; change < changes; change += 1) {
    host.server.commit(churn.next());
    if (random.below(4) > 0) await delay(random.below(8));
    if (!killAt.has(change)) continue;
    await starting;
    await host.end("SIGKILL");
    starting = host.start();
  }
  await starting;

  for (const rig of rigs) await host.waitForTruth(rig, 30_000);
  for (const ping of pings) {
    const { sent, lost } = await ping.stop();
    assert.ok(sent > 20 && lost <= 1, `${lost} of ${sent} pings were lost`);
  }
});

const servedAddress = "203.0.113.200";
const served = (routerId: FloatingIpItem["routerId"]) => ({ routerId, floatingIp: servedAddress, fixedIp: "10.0.0.11" });
