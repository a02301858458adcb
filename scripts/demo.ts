// `npm run demo`: a real DHCP client in a namespace of its own gets the address that the server chose. Stays until Ctrl-C;
// `npm run demo -- --once` compares what the client got with the API, cleans up and ends.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTrace, formatTraceparent } from "../src/base/trace-context.ts";
import { readHolder } from "../src/up/state-directory.ts";
import { type ApiObject, DemoApi, waitFor } from "./demo/api.ts";
import { findDifferences } from "./demo/checks.ts";
import { addNamespace, askForLease, type ClientOptions, readDevice, removeNamespace } from "./demo/instance.ts";
import { choosePort, netloom, type RunningUp, startUp } from "./demo/netloom.ts";
import { type Moment, printTimeline, readAgentMoment } from "./demo/timeline.ts";

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
const namespace = stateDir === usualStateDir ? "netloom-demo" : `netloom-demo-${randomBytes(3).toString("hex")}`;

interface Scene {
  readonly network: ApiObject;
  readonly subnet: ApiObject;
  readonly port: ApiObject;
  readonly client: ClientOptions;
  readonly moments: readonly Moment[];
  readonly startMs: number;
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const now = (): number => performance.timeOrigin + performance.now();

async function play(up: RunningUp, directory: string): Promise<Scene> {
  const api = new DemoApi(up.url);
  await addNamespace(namespace);
  const network = await api.create("network", { name: "demo", mtu: 1450 });
  const subnetMs = now();
  const subnet = await api.create("subnet", {
    network_id: network.id,
    name: "demo-v4",
    ip_version: 4,
    cidr: "10.42.0.0/24",
    dns_nameservers: ["192.0.2.53", "192.0.2.54"],
  });

  // The first subnet brings the agent's own port and dnsmasq; the timeline shows what a port costs once they are there.
  await waitFor("the network's own DHCP port", 20_000, async () => {
    return (await api.list("port", `network_id=${network.id}&device_owner=network:dhcp&status=ACTIVE`))[0];
  });
  say(`DHCP for the network runs (${Math.round(now() - subnetMs)} ms after POST /v2.0/subnets)`);

  const trace = createTrace();
  const startMs = now();
  const port = await api.create("port", { name: "web", network_id: network.id }, formatTraceparent(trace));
  const created = { what: "port created: POST /v2.0/ports answered", atMs: now() };
  await waitFor("port ACTIVE", 20_000, async () => {
    return (await api.show("port", port.id))["status"] === "ACTIVE" ? true : undefined;
  });
  const ready = { what: "DHCP ready: the port is ACTIVE", atMs: now() };
  const agentLog = join(stateDir, "log", "dhcp-agent.log");
  const eventMs = await waitFor("the change in the agent's log", 5000, () => readAgentMoment(agentLog, trace.traceId));

  await netloom(["port", "plug", port.id, "--netns", namespace, "--url", up.url, "--state-dir", stateDir]);
  const plugged = { what: `instance plugged: namespace ${namespace} has the port's MAC`, atMs: now() };
  const client = await askForLease({ namespace, device: await readDevice(namespace), directory });
  const leased = { what: `lease obtained: udhcpc has ${client["ip"]}`, atMs: Number(client["at"]) };
  await waitFor("the lease at the server", 10_000, async () => (await api.list("lease", `port_id=${port.id}`))[0]);
  const seen = { what: "lease seen by the server: GET /v2.0/leases has it", atMs: now() };
  const event = { what: "event at the agent: it begins to work on the network", atMs: eventMs };
  return { network, subnet, port, client, moments: [created, event, ready, plugged, leased, seen], startMs };
}

function showHowToGoOn(up: RunningUp, scene: Scene): void {
  const url = `--url ${up.url}`;
  say(`
netloom runs at ${up.url} until you press Ctrl-C; then the demo removes everything it made. Try in another terminal:
  bin/netloom port list ${url}
  bin/netloom port show web -o yaml ${url}
  bin/netloom lease list --network demo ${url}
  bin/netloom port create second --network demo ${url}
  ip netns exec ${namespace} ip address
  ip netns exec ${namespace} ping -c 3 ${scene.client["serverid"] ?? ""}
  curl ${up.url}/v2.0/networks`);
}

/** Ctrl-C at any moment ends in the clean-up. */
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("interrupted"));
});

async function present(up: RunningUp, directory: string): Promise<void> {
  const scene = await play(up, directory);
  say(`\nFrom POST /v2.0/ports to the lease of ${String(scene.port["mac_address"])}:`);
  printTimeline(scene.moments, scene.startMs);
  const { ip, mask, router, dns, mtu, domain } = scene.client;
  say(`\nThe client got: address ${ip}/${mask}, router ${router}, DNS ${dns}, MTU ${mtu}, domain ${domain}`);
  const differences = findDifferences(scene);
  if (differences.length > 0) throw new Error(differences.join("; "));
  say("That is what the API says.");
  if (flags.once) return;
  showHowToGoOn(up, scene);
  throw new Error(`netloom up ended with exit code ${await up.ended}`);
}

async function cleanUp(directory: string): Promise<void> {
  const said = await netloom(["down", "--state-dir", stateDir]);
  await removeNamespace(namespace);
  await rm(directory, { recursive: true, force: true });
  say(said.trim());
}

async function main(): Promise<void> {
  const holder = await readHolder(stateDir);
  if (holder !== undefined) throw new Error(`a netloom runs in ${stateDir} already (pid ${holder.pid})`);
  await netloom(["down", "--state-dir", stateDir]);
  await removeNamespace(namespace);

  const directory = await mkdtemp(join(tmpdir(), "netloom-demo-client-"));
  try {
    const startedAt = now();
    const listen = flags.listen ?? `127.0.0.1:${await choosePort(9696)}`;
    const up = await startUp(["--state-dir", stateDir, "--listen", listen]);
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
