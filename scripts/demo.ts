// `npm run demo`: a real DHCP client in a namespace of its own gets the address that the server chose; then a router joins its
// network to another one and to the outside, which reaches it by a floating IP. Stays until Ctrl-C; `npm run demo -- --once`
// compares what the client got with the API, cleans up and ends.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readHolder } from "../src/up/state-directory.ts";
import { DemoApi } from "./demo/api.ts";
import { findDifferences } from "./demo/checks.ts";
import { removeNamespace } from "./demo/instance.ts";
import { playLease } from "./demo/lease-scene.ts";
import { choosePort, netloom, type RunningUp, startUp } from "./demo/netloom.ts";
import { addOutside, type Outside, removeOutside } from "./demo/outside.ts";
import { playRouted } from "./demo/routed-scene.ts";
import { printTimeline } from "./demo/timeline.ts";

const usualStateDir = join(tmpdir(), "netloom-demo");
const { values: flags } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    "state-dir": { type: "string", default: usualStateDir },
    listen: { type: "string" },
  },
});
const stateDir = flags["state-dir"];
// The usual name lets a later demo find what a killed one left; demos in other directories must not meet.
const suffix = stateDir === usualStateDir ? "" : `-${randomBytes(3).toString("hex")}`;
const namespace = `netloom-demo${suffix}`;
const secondNamespace = `netloom-demo-2${suffix}`;
const physicalNetwork = "outside";
const outside: Outside = { bridge: `nl-demo${suffix}`, namespace: `netloom-demo-out${suffix}` };

const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const now = (): number => performance.timeOrigin + performance.now();

function showHowToGoOn(up: RunningUp, server: string, floatingIp: string): void {
  const url = `--url ${up.url}`;
  say(`
netloom runs at ${up.url} until you press Ctrl-C; then the demo removes everything it made. Try in another terminal:
  bin/netloom port list ${url}
  bin/netloom port show web -o yaml ${url}
  bin/netloom lease list --network demo ${url}
  bin/netloom port create second --network demo ${url}
  ip netns exec ${namespace} ip address
  ip netns exec ${namespace} ping -c 3 ${server}
  bin/netloom router show edge ${url}
  bin/netloom floatingip list ${url}
  ip netns exec ${outside.namespace} ping -c 3 ${floatingIp}
  curl ${up.url}/v2.0/networks`);
}

/** Ctrl-C at any moment ends in the clean-up. */
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("interrupted"));
});

async function present(up: RunningUp, directory: string): Promise<void> {
  const api = new DemoApi(up.url);
  const stage = { api, url: up.url, stateDir, directory };
  const scene = await playLease({ ...stage, namespace, say });
  say(`\nFrom POST /v2.0/ports to the lease of ${String(scene.port["mac_address"])}:`);
  printTimeline(scene.moments, scene.startMs);
  const { ip, mask, router, dns, mtu, domain } = scene.client;
  say(`\nThe client got: address ${ip}/${mask}, router ${router}, DNS ${dns}, MTU ${mtu}, domain ${domain}`);
  const differences = findDifferences(scene);
  if (differences.length > 0) throw new Error(differences.join("; "));
  say("That is what the API says.");

  const { subnet, port } = scene;
  const namespaces = { first: namespace, second: secondNamespace };
  const routed = await playRouted({ ...stage, outside, namespaces, subnet, port }, physicalNetwork);
  say("\nFrom POST /v2.0/routers to an instance that the outside reaches:");
  printTimeline(routed.moments, routed.startMs);
  if (flags.once) return;
  showHowToGoOn(up, scene.client["serverid"] ?? "", routed.floatingIp);
  throw new Error(`netloom up ended with exit code ${await up.ended}`);
}

async function removeInstances(): Promise<void> {
  for (const one of [namespace, secondNamespace]) await removeNamespace(one);
  await removeOutside(outside);
}

async function cleanUp(directory: string): Promise<void> {
  const said = await netloom(["down", "--state-dir", stateDir]);
  await removeInstances();
  await rm(directory, { recursive: true, force: true });
  say(said.trim());
}

async function main(): Promise<void> {
  const holder = await readHolder(stateDir);
  if (holder !== undefined) throw new Error(`a netloom runs in ${stateDir} already (pid ${holder.pid})`);
  await netloom(["down", "--state-dir", stateDir]);
  await removeInstances();

  const directory = await mkdtemp(join(tmpdir(), "netloom-demo-client-"));
  try {
    const startedAt = now();
    const listen = flags.listen ?? `127.0.0.1:${await choosePort(9696)}`;
    await addOutside(outside);
    const mapping = `${physicalNetwork}:${outside.bridge}`;
    const up = await startUp(["--state-dir", stateDir, "--listen", listen, "--l3-bridge-mappings", mapping]);
    up.ended.catch(() => {});
    say(`netloom is ready: ${up.url} (${Math.round(now() - startedAt)} ms after its start)`);
    const outcome = await Promise.race([present(up, directory), interrupted]);
    if (outcome === "interrupted" && flags.once) throw new Error("interrupted");
  } finally {
    await cleanUp(directory);
  }
}

try {
  await main();
} catch (thrown) {
  process.stderr.write(`demo failed: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 1;
}
