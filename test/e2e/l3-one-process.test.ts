// Both agents of layer 3 in one process, each with its own identity: programs as an operator starts them, and packets. The tests
// share one start of all and follow each other.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../helpers/dependent-tests.ts";
import { fileURLToPath } from "node:url";
import { bridgeName, routerNamespaceName } from "../../src/model/device-names.ts";
import { networkId, routerId } from "../../src/model/ids.ts";
import { endOf } from "../helpers/children.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomPrefix,
  sh,
  skipWithoutRoot,
} from "../helpers/namespaces.ts";
import { startTestNats } from "../helpers/nats-server.ts";
import { netloom } from "../helpers/netloom-up.ts";
import { joinBridge, openOutside, type OutsideSegment } from "../helpers/outside-segment.ts";
import { ask, listen, silenceS } from "../helpers/packets.ts";
import { PingWatch } from "../helpers/ping-watch.ts";
import { type Json, RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

describe("one process that is the L3 agent and the floating IP agent", { skip: skipWithoutRoot }, () => {
  const prefix = randomPrefix();
  const host = `host-${prefix}o`;
  /** What undoes the beginning, the last of it first. */
  const closings: (() => unknown)[] = [];
  let agentFlags: readonly string[] = [];
  let agent: ChildProcess;
  let client: RestClient;
  let outside: OutsideSegment;
  let ids: Readonly<Record<"external" | "network" | "router" | "floating", string>>;
  let address = "";
  let guest = "";

  /** Resolves when it is ready. */
  async function start(args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly url: string }> {
    const child = fork(launcher, args, { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
    closings.push(() => endOf(child, "SIGTERM"));
    return { child, ...(await untilReady(child)) };
  }

  const becomesActive = (id: string): Promise<unknown> =>
    waitFor(async () => (await client.show("floatingip", id))["status"] === "ACTIVE", {
      ...{ limitMs: 20_000, what: "floating IP ACTIVE" },
    });
  const eventually = (wish: string, question: () => Promise<string>): Promise<unknown> =>
    waitFor(async () => (await question()) === wish, { limitMs: 10_000, what: wish });

  failAfterTheFirst();
  before(async () => {
    const directory = await createTestDirectory();
    closings.push(() => directory.remove());
    outside = await openOutside(prefix);
    closings.push(() => outside.remove());
    const nats = await startTestNats([
      { role: "l3", host },
      { role: "fip", host },
    ]);
    closings.push(() => nats.close());
    closings.push(() => netloom(["down", "--state-dir", directory.path]));
    const seed = (user: string): string => nats.credentials.get(user)?.seedFile ?? "";
    const common = ["--state-dir", directory.path, "--nats-url", nats.url, "--log-level", "warn"];
    const { url } = await start(["server", ...common, "--listen", "127.0.0.1:0", "--nats-nkey-seed-file", seed("server")]);
    agentFlags = [
      ...["l3-agent", ...common, "--host", host, `--namespace-prefix=${prefix}`, "--nats-nkey-seed-file", seed(`l3-${host}`)],
      ...["--floating-ips-beside", "--floating-ips-nkey-seed-file", seed(`fip-${host}`)],
      `--l3-bridge-mappings=public:${outside.bridge}`,
    ];
    agent = (await start(agentFlags)).child;
    client = new RestClient(url);
    closings.push(() => client.close());
  });
  after(async () => {
    for (const close of closings.toReversed()) await close();
  });

  /** In the bridge of the network, with the port's address. */
  async function plug(port: Json, gateway: string): Promise<void> {
    guest = await createNamespace(`${prefix}guest`);
    closings.push(() => deleteNamespace(guest));
    await joinBridge(guest, bridgeName(networkId(String(port["network_id"]))));
    const [fixed] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
    await sh("ip", "-n", guest, "addr", "add", `${fixed?.ip_address}/24`, "dev", "eth0");
    await sh("ip", "-n", guest, "route", "add", "default", "via", gateway);
    for (const namespace of [guest, outside.namespace]) {
      const listener = await listen(namespace, "tcp:80");
      closings.push(() => listener.close());
    }
  }

  test("is two agents to the server, and makes router and floating IP", async () => {
    const provider = { "provider:network_type": "flat", "provider:physical_network": "public" };
    const external = await client.create("network", { "router:external": true, ...provider });
    await client.create("subnet", { network_id: external.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
    const network = await client.create("network", {});
    const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.1.0.0/24" });
    const router = await client.create("router", { external_gateway_info: { network_id: external.id } });
    await client.request("PUT", `/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
    const port = await client.create("port", { network_id: network.id });
    const floating = await client.create("floatingip", { floating_network_id: external.id, port_id: port.id });
    ids = { external: external.id, network: network.id, router: router.id, floating: floating.id };
    address = String(floating["floating_ip_address"]);

    await becomesActive(floating.id);

    const namespace = routerNamespaceName(prefix, routerId(router.id));
    const routes = await sh("ip", "-n", namespace, "route", "show", "table", "local", "proto", "static");
    assert.match(routes, new RegExp(`local ${address} dev qg-`));
    const agents = await client.list("agent");
    const told = agents.map((one) => `${String(one["agent_type"])} ${String(one["alive"])}`);
    assert.deepEqual(new Set(told), new Set(["Floating IP agent true", "L3 agent true"]));
    await plug(port, String(subnet["gateway_ip"]));
    await eventually(`80 ${outside.address}`, () => ask(outside.namespace, "tcp", address, 80));
    await eventually(`80 ${address}`, () => ask(guest, "tcp", outside.address, 80));
  });

  test("may be killed, and stopped, and started again: no packet through the floating IP is lost, and it does what it missed", async () => {
    const pings = await PingWatch.start(outside.namespace, address);
    closings.push(() => pings.close());

    await endOf(agent, "SIGKILL");
    const port = await client.create("port", { network_id: ids.network });
    const missed = await client.create("floatingip", { floating_network_id: ids.external, port_id: port.id });
    agent = (await start(agentFlags)).child;
    await becomesActive(missed.id);
    await endOf(agent, "SIGTERM");
    agent = (await start(agentFlags)).child;
    const { sent, missing } = await pings.stop();

    assert.ok(sent > 5, `only ${sent} pings`);
    assert.deepEqual(missing, []);
    assert.equal((await client.show("floatingip", ids.floating))["status"], "ACTIVE");
  });

  test("ends a floating IP's flows when it leads nowhere any more", async () => {
    await client.update("floatingip", ids.floating, { port_id: null });

    await eventually("nothing", () => ask(outside.namespace, "tcp", address, 80, silenceS));
    await eventually(`80 ${routerAddress(await client.show("router", ids.router))}`, () =>
      ask(guest, "tcp", outside.address, 80),
    );
  });
});

function routerAddress(router: Json): string {
  const info = router["external_gateway_info"] as { readonly external_fixed_ips: readonly { readonly ip_address: string }[] };
  return info.external_fixed_ips[0]?.ip_address ?? "";
}
