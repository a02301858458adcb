// Kill -9 of the agent, the server and nats-server at random moments while 200 ports come and go. Afterwards every port that
// the API lists gets its lease, no other one does, and dnsmasq was never restarted. NETLOOM_TEST_SEED repeats a run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readProcess, sendSignal } from "../../src/linux/process-table.ts";
import { DhcpProbe } from "../helpers/dhcp-probe/probe.ts";
import { NetloomUp, netloom, type Program } from "../helpers/netloom-up.ts";
import { createRandom, testSeed } from "../helpers/random.ts";
import type { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const operations = 200;
const kills = 8;
const isRoot = process.getuid?.() === 0;

function run(...argv: readonly [string, ...string[]]): void {
  const [file, ...rest] = argv;
  const result = spawnSync(file, rest, { encoding: "utf8" });
  assert.equal(result.status, 0, `${argv.join(" ")}: ${result.stderr}`);
}

/** A request that may find the server just killed: sent again until some server answers it. */
async function insist(client: RestClient, method: string, url: string, body?: unknown): Promise<number> {
  return waitFor(
    async () => {
      const answer = await client.request(method, url, body);
      return answer.status >= 500 ? undefined : answer.status;
    },
    { limitMs: 20_000, what: `an answer to ${method} ${url}` },
  );
}

const macOf = (index: number): string =>
  `fa:16:3e:cc:${(index >> 8).toString(16).padStart(2, "0")}:${(index & 255).toString(16).padStart(2, "0")}`;

/** Creates and deletes; a create whose answer was lost may have happened: the list of the API decides later, not this function. */
async function churn(client: RestClient, networkId: string, seed: number): Promise<void> {
  const random = createRandom(seed);
  const living: number[] = [];
  for (let step = 0, created = 0; step < operations; step += 1) {
    if (living.length === 0 || random.next() < 0.65) {
      const index = created++;
      // 409 is "this MAC is there": the first try had committed before its server died.
      const status = await insist(client, "POST", "/v2.0/ports", {
        port: { network_id: networkId, mac_address: macOf(index) },
      });
      assert.ok(status === 201 || status === 409, `create answered ${status}`);
      living.push(index);
    } else {
      const [index] = living.splice(random.below(living.length), 1);
      const found = await waitFor(() => client.list("port", `?mac_address=${macOf(index ?? 0)}`), {
        limitMs: 20_000,
        what: "a list",
      });
      for (const port of found) await insist(client, "DELETE", `/v2.0/ports/${port.id}`);
    }
    await delay(random.below(40));
  }
}

const programs: readonly Program[] = ["server", "dhcp-agent", "nats-server"];

/** Each program at least once, in an order that the seed decides; after the first round only while the churn goes on. */
async function killAtRandom(up: NetloomUp, seed: number, isOver: () => boolean): Promise<Record<string, number>> {
  const random = createRandom(seed);
  const killed: Record<string, number> = {};
  let waiting: Program[] = [];
  for (let done = 0; done < kills && (done < programs.length || !isOver()); done += 1) {
    await delay(200 + random.below(1200));
    if (waiting.length === 0) waiting = [...programs];
    const [program = "server"] = waiting.splice(random.below(waiting.length), 1);
    const kill = async (): Promise<boolean> => {
      const found = readProcess((await up.findProgram(program)) ?? 0);
      return found !== undefined && sendSignal(found, "SIGKILL");
    };
    await waitFor(kill, { limitMs: 20_000, what: `a running ${program}` });
    killed[program] = (killed[program] ?? 0) + 1;
  }
  return killed;
}

test("programs killed while ports come and go", { skip: isRoot ? false : "needs root", timeout: 180_000 }, async (context) => {
  const seed = testSeed();
  context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
  const up = await NetloomUp.create();
  const namespace = `${up.prefix}crash`;
  run("ip", "netns", "add", namespace);
  let probe: DhcpProbe | undefined;
  let isOver = false;
  context.after(async () => {
    isOver = true;
    await probe?.close();
    await up.destroy();
    spawnSync("ip", ["netns", "del", namespace]);
  });
  await up.start();
  const client = up.client();
  context.after(() => client.close());
  const network = await client.create("network", { name: "crash" });
  await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.30.0.0/23" });
  const instance = await client.create("port", { network_id: network.id });
  const plugged = await netloom([
    "--url",
    up.url,
    "port",
    "plug",
    instance.id,
    "--netns",
    namespace,
    "--state-dir",
    up.stateDir,
  ]);
  assert.equal(plugged.exitCode, 0, plugged.stderr);
  run("ip", "-n", namespace, "route", "add", "default", "dev", "eth0");
  const pidFile = path.join(up.stateDir, "dhcp", network.id, "pid");
  const dnsmasq = await waitFor(() => readFile(pidFile, "utf8"), { limitMs: 10_000, what: "dnsmasq's pid file" });
  const asker = await DhcpProbe.start(namespace);
  probe = asker;

  const killing = killAtRandom(up, seed ^ 0x5bd1e995, () => isOver);
  await churn(client, network.id, seed);
  isOver = true;
  const killed = await killing;
  context.diagnostic(`killed: ${JSON.stringify(killed)}`);
  for (const program of programs) assert.ok((killed[program] ?? 0) >= 1, `${program} was never killed`);

  // Nothing tells when a deletion is in force, but the agent hears of changes in their order: it is when a later port is ready.
  await insist(client, "POST", "/v2.0/ports", { port: { network_id: network.id } });
  await waitFor(async () => (await client.list("port", `?network_id=${network.id}&status=DOWN`)).length === 0, {
    limitMs: 30_000,
    what: "all ports ACTIVE after the last kill",
  });
  const listed = new Map(
    (await client.list("port", `?network_id=${network.id}`)).map((port) => [String(port["mac_address"]), port]),
  );
  const answers = await Promise.all(
    Array.from({ length: operations }, async (_, index) => {
      const mac = macOf(index);
      return { mac, answer: await asker.ask(mac, { want: "lease", timeoutMs: listed.has(mac) ? 10_000 : 2_000 }) };
    }),
  );

  for (const { mac, answer } of answers) {
    const port = listed.get(mac);
    if (port === undefined) assert.equal(answer.answer, "none", `${mac} is not in the API and got ${answer.address}`);
    else
      assert.deepEqual(
        [answer.answer, answer.address],
        ["ack", (port["fixed_ips"] as { ip_address: string }[])[0]?.ip_address],
        mac,
      );
  }
  assert.ok(answers.some(({ answer }) => answer.answer === "none") && answers.some(({ answer }) => answer.answer === "ack"));
  assert.equal(await readFile(pidFile, "utf8"), dnsmasq, "dnsmasq was restarted");
});
