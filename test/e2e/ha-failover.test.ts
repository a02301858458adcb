// The host of a router of high availability dies, with whole programs and by the REST API alone: agents and keepalived of the
// primary are killed, its devices are cut off, and the other host takes over. The tests share one start and follow each other.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../helpers/dependent-tests.ts";
import { fileURLToPath } from "node:url";
import { sendSignal } from "../../src/linux/process-table.ts";
import { endOf } from "../helpers/children.ts";
import type { HaHost } from "../helpers/ha-host.ts";
import { HaStage } from "../helpers/ha-stage.ts";
import { createTestDirectory, skipWithoutRoot } from "../helpers/namespaces.ts";
import { startTestNats } from "../helpers/nats-server.ts";
import { type Json, RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const programs = ["l3-agent", "floating-ip-agent"] as const;
const guestAddress = "10.0.0.50";
const soon = { limitMs: 30_000, everyMs: 100 };

async function startServer(flags: readonly string[]): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(launcher, ["server", ...flags], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return { child, ...(await untilReady(child)) };
}

describe("a host of a router of high availability", { skip: skipWithoutRoot }, () => {
  /** What undoes the beginning, the last of it first. */
  const closings: (() => unknown)[] = [];
  let stage: HaStage;
  let client: RestClient;
  let routerId = "";
  let floatingIpId = "";
  let floating = "";
  let guest = "";

  /** By host, as the API says it. */
  async function haStates(): Promise<Readonly<Record<string, string>>> {
    const { body } = await client.request("GET", `/v2.0/routers/${routerId}/l3-agents`);
    const { agents } = body as { readonly agents: readonly Json[] };
    return Object.fromEntries(agents.map((agent) => [String(agent["host"]), String(agent["ha_state"])]));
  }

  /** Once one is active, and the other in that state. */
  const hostsWhen = (state: string): Promise<{ readonly primary: HaHost; readonly other: HaHost }> =>
    waitFor(
      async () => {
        const states = await haStates();
        const primary = stage.hosts.find(({ name }) => states[name] === "active");
        const other = stage.hosts.find(({ name }) => states[name] === state);
        return primary === undefined || other === undefined ? undefined : { primary, other };
      },
      { ...soon, what: `one host active and one ${state}` },
    );
  const isFloatingIp = (status: string): Promise<unknown> =>
    waitFor(async () => (await client.show("floatingip", floatingIpId))["status"] === status, { ...soon, what: status });
  async function assertReachable(): Promise<void> {
    await stage.pings(stage.outside, floating);
    await stage.pings(guest, "203.0.113.254");
  }

  failAfterTheFirst();
  before(async () => {
    const directory = await createTestDirectory();
    closings.push(() => directory.remove());
    const nats = await startTestNats(undefined, "0.0.0.0");
    closings.push(() => nats.close());
    const where = ["--state-dir", directory.path, "--nats-url", nats.url, "--listen", "127.0.0.1:0", "--log-level", "silent"];
    const { child, url } = await startServer([...where, "--dhcp-agent-down-ms", "4000"]);
    closings.push(() => endOf(child, "SIGTERM"));
    client = new RestClient(url);
    closings.push(() => client.close());
    stage = await HaStage.open({ directory: directory.path, natsPort: Number(new URL(nats.url).port), advertMs: 500 });
    closings.push(() => stage.close());
    await build();
  });
  after(async () => {
    for (const close of closings.toReversed()) await close();
  });

  async function build(): Promise<void> {
    const flat = { "provider:network_type": "flat", "provider:physical_network": "public" };
    const external = await client.create("network", { "router:external": true, ...flat });
    const pool = { cidr: "203.0.113.0/24", gateway_ip: "203.0.113.254", enable_dhcp: false };
    await client.create("subnet", { network_id: external.id, ip_version: 4, ...pool });
    const network = await client.create("network", {});
    const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const port = await client.create("port", { network_id: network.id, fixed_ips: [{ ip_address: guestAddress }] });
    routerId = (await client.create("router", { ha: true })).id;
    const networks = await client.list("network");
    await stage.wireNew(networks.map(({ id }) => id).filter((id) => id !== external.id));
    for (const program of programs) for (const host of stage.hosts) await host.startAgent(program);
    guest = await stage.plugGuest(network.id, { cidr: `${guestAddress}/24`, gateway: "10.0.0.1" });
    await client.update("router", routerId, { external_gateway_info: { network_id: external.id } });
    const joined = await client.request("PUT", `/v2.0/routers/${routerId}/add_router_interface`, { subnet_id: subnet.id });
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
    const made = await client.create("floatingip", { floating_network_id: external.id, port_id: port.id });
    [floatingIpId, floating] = [made.id, String(made["floating_ip_address"])];
  }

  /** The machine is gone: nothing of it runs any more, and nothing in it answers. */
  async function kill(host: HaHost): Promise<void> {
    for (const program of programs) await host.endAgent(program, "SIGKILL");
    // With one of a pair the other one ends.
    for (const daemon of host.daemons()) sendSignal(daemon, "SIGKILL");
    await host.inside("ip", "netns", "del", host.routerNamespace(routerId));
  }

  test("serves it, and the API says which one does", async () => {
    await hostsWhen("standby");
    await assertReachable();
    await isFloatingIp("ACTIVE");
    assert.equal((await client.show("router", routerId))["status"], "ACTIVE");
  });

  test("dies: the other takes over, the floating IP answers there, and the API says so", async () => {
    const { primary, other } = await hostsWhen("standby");

    await kill(primary);

    await assertReachable();
    const now = await hostsWhen("unknown");
    assert.deepEqual([now.primary.name, now.other.name], [other.name, primary.name]);
    await isFloatingIp("ACTIVE");
    const areDead = async (): Promise<boolean> => {
      const agents = await client.list("agent", `?host=${primary.name}`);
      return agents.length === programs.length && agents.every((agent) => agent["alive"] === false);
    };
    await waitFor(areDead, { ...soon, what: "its agents to be dead for the API" });
    assert.equal((await haStates())[primary.name], "unknown");
    const ports = await client.list("port", `?device_id=${routerId}&device_owner=network:router_gateway`);
    assert.deepEqual(
      ports.map((port) => port["binding:host_id"]),
      [other.name],
    );
  });

  test("serves what is asked for while the other is dead, which stands by when it returns, and takes over in its turn", async () => {
    const { primary, other } = await hostsWhen("unknown");
    await client.update("floatingip", floatingIpId, { port_id: null });
    await isFloatingIp("DOWN");
    const [port] = await client.list("port", `?fixed_ips=ip_address=${guestAddress}`);
    await client.update("floatingip", floatingIpId, { port_id: port?.id });
    await isFloatingIp("ACTIVE");
    await assertReachable();

    for (const program of programs) await other.startAgent(program);
    const back = await hostsWhen("standby");
    assert.equal(back.primary.name, primary.name);
    await assertReachable();
    await kill(primary);

    await assertReachable();
    assert.equal((await hostsWhen("unknown")).primary.name, other.name);
  });
});
