// 1,000 creates and deletes of ports with few addresses, so that they are used again at once, on 20 networks, while the agent is
// killed -9 at random moments. Afterwards every port that the API lists gets its address, nobody else gets any, and when all is
// deleted nothing is left on the host. NETLOOM_TEST_SEED repeats a run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DhcpProbe } from "../helpers/dhcp-probe/probe.ts";
import { deviceNames, skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp } from "../helpers/netloom-up.ts";
import { createRandom, type Random, testSeed } from "../helpers/random.ts";
import type { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const networkCount = 20;
const operations = 1000;
const kills = 6;
/** A /28 has 13 for ports and the agent's own: most addresses are somebody's second. */
const mostLiving = 9;
/** How long a client may wait for its answer. */
const answerLimitMs = 2000;

interface TestNetwork {
  readonly id: string;
  readonly bridge: string;
  readonly macs: string[];
  readonly living: { readonly id: string; readonly mac: string }[];
}

function run(...argv: readonly [string, ...string[]]): void {
  const [file, ...rest] = argv;
  const result = spawnSync(file, rest, { encoding: "utf8" });
  assert.equal(result.status, 0, `${argv.join(" ")}: ${result.stderr}`);
}

async function createNetworks(client: RestClient): Promise<readonly TestNetwork[]> {
  return Promise.all(
    Array.from({ length: networkCount }, async (_, index) => {
      const { id } = await client.create("network", { name: `churn-${index}` });
      // The same addresses everywhere: what is answered must be this network's.
      await client.create("subnet", { network_id: id, ip_version: 4, cidr: "10.40.0.0/28" });
      return { id, bridge: `brq${id.slice(0, 11)}`, macs: [], living: [] };
    }),
  );
}

/** Four clients, each with networks of its own, so that the list of what lives is right. */
async function churn(client: RestClient, networks: readonly TestNetwork[], random: Random): Promise<void> {
  let done = 0;
  const worker = async (mine: readonly TestNetwork[]): Promise<void> => {
    while (done < operations) {
      done += 1;
      await changeOne(client, random.pick(mine), random);
      await delay(random.below(20));
    }
  };
  await Promise.all([0, 1, 2, 3].map((part) => worker(networks.filter((_, index) => index % 4 === part))));
}

async function changeOne(client: RestClient, network: TestNetwork, random: Random): Promise<void> {
  const isFull = network.living.length >= mostLiving;
  if (network.living.length > 0 && (isFull || random.next() < 0.5)) {
    const [gone] = network.living.splice(random.below(network.living.length), 1);
    await client.remove("port", gone?.id ?? "");
    return;
  }
  const port = await client.create("port", { network_id: network.id });
  const mac = String(port["mac_address"]);
  network.macs.push(mac);
  network.living.push({ id: port.id, mac });
}

async function killAtRandom(up: NetloomUp, random: Random, isOver: () => boolean): Promise<number> {
  let killed = 0;
  while (!isOver() && killed < kills) {
    await delay(100 + random.below(600));
    const pid = await up.findProgram("dhcp-agent");
    if (pid === undefined) continue;
    process.kill(pid, "SIGKILL");
    killed += 1;
  }
  return killed;
}

/** Asks for every MAC that ever had a port on the network, as if from an instance there. */
async function check(context: TestContext, up: NetloomUp, client: RestClient, network: TestNetwork): Promise<void> {
  const namespace = `${up.prefix}${network.id.slice(0, 4)}${network.id.slice(9, 13)}`;
  run("ip", "netns", "add", namespace);
  context.after(() => spawnSync("ip", ["netns", "del", namespace]));
  // The device is not a port of the API, so that looking changes nothing.
  run("ip", "link", "add", `${namespace}`, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  context.after(() => spawnSync("ip", ["link", "del", namespace]));
  run("ip", "link", "set", namespace, "master", network.bridge, "up");
  run("ip", "-n", namespace, "link", "set", "eth0", "up");
  run("ip", "-n", namespace, "route", "add", "255.255.255.255", "dev", "eth0");
  const probe = await DhcpProbe.start(namespace);
  const listed = new Map(
    (await client.list("port", `?network_id=${network.id}`)).map((port) => [
      String(port["mac_address"]),
      (port["fixed_ips"] as readonly { readonly ip_address: string }[])[0]?.ip_address,
    ]),
  );
  const answers = await Promise.all(
    network.macs.map(async (mac) => {
      const limit = listed.has(mac) ? answerLimitMs : 700;
      return { mac, answer: await probe.ask(mac, { want: "lease", timeoutMs: limit, everyMs: 200 }) };
    }),
  );
  await probe.close();
  // A bridge with a device in it would stay, and rightly.
  run("ip", "link", "del", namespace);
  for (const { mac, answer } of answers) {
    const address = listed.get(mac);
    if (address === undefined) assert.equal(answer.answer, "none", `${mac} has no port and got ${answer.address}`);
    else assert.deepEqual([answer.answer, answer.address], ["ack", address], `${mac} on network ${network.id}`);
  }
}

async function findLeftOvers(up: NetloomUp, networks: readonly TestNetwork[]): Promise<readonly string[]> {
  const namespaces = await readdir("/run/netns").catch(() => []);
  const directories = await readdir(path.join(up.stateDir, "dhcp"));
  const devices = await deviceNames();
  return [
    ...namespaces.filter((name) => name.startsWith(`${up.prefix}qdhcp-`)),
    ...directories.filter((name) => networks.some(({ id }) => id === name)),
    ...networks.filter(({ bridge }) => devices.has(bridge)).map(({ bridge }) => bridge),
  ];
}

test("an agent that is killed while addresses change hands gives nobody a wrong one and leaves nothing behind", {
  skip: skipWithoutRoot,
  timeout: 180_000,
}, async (context) => {
  const seed = testSeed();
  context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
  const up = await NetloomUp.create();
  context.after(() => up.destroy());
  await up.start();
  const client = up.client();
  context.after(() => client.close());
  const networks = await createNetworks(client);

  let isOver = false;
  const killing = killAtRandom(up, createRandom(seed ^ 0x5bd1e995), () => isOver);
  await churn(client, networks, createRandom(seed));
  isOver = true;
  const killed = await killing;
  context.diagnostic(`killed ${killed} times`);
  assert.ok(killed > 0);

  await waitFor(async () => (await client.list("port", "?status=DOWN")).length === 0, {
    limitMs: 30_000,
    what: "all ports ACTIVE after the last kill",
  });
  for (let at = 0; at < networks.length; at += 5) {
    await Promise.all(networks.slice(at, at + 5).map((network) => check(context, up, client, network)));
  }
  const reused = networks.reduce((sum, { macs }) => sum + macs.length, 0) - networkCount * mostLiving;
  assert.ok(reused > 100, `only ${reused} addresses were used again`);

  for (const network of networks) {
    for (const { id } of network.living) await client.remove("port", id);
    await client.remove("network", network.id);
  }
  await waitFor(async () => (await findLeftOvers(up, networks)).length === 0, {
    limitMs: 20_000,
    what: "nothing to be left of the networks",
  });
});
