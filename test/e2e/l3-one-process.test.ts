// Both agents of layer 3 in one process, each with its own identity: programs as an operator starts them.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { routerNamespaceName } from "../../src/model/device-names.ts";
import { routerId } from "../../src/model/ids.ts";
import { createTestDirectory, randomPrefix, sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { startTestNats } from "../helpers/nats-server.ts";
import { netloom } from "../helpers/netloom-up.ts";
import { openOutside } from "../helpers/outside-segment.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

/** Resolves with what it says when it is ready. */
async function start(children: ChildProcess[], args: readonly string[]): Promise<{ readonly url?: string }> {
  const child = fork(launcher, args, { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
  children.push(child);
  const ended = once(child, "exit").then(() => Promise.reject(new Error(`${args[0]} ended`)));
  ended.catch(() => {});
  const [message] = await Promise.race([once(child, "message"), ended]);
  return message;
}

test("one process is the L3 agent and the floating IP agent", { skip: skipWithoutRoot, timeout: 60_000 }, async (context) => {
  const prefix = randomPrefix();
  const host = `host-${prefix}o`;
  const directory = await createTestDirectory();
  const outside = await openOutside(prefix);
  const nats = await startTestNats([
    { role: "l3", host },
    { role: "fip", host },
  ]);
  const seed = (user: string): string => nats.credentials.get(user)?.seedFile ?? "";
  const children: ChildProcess[] = [];
  context.after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    await netloom(["down", "--state-dir", directory.path]);
    await nats.close();
    await outside.remove();
    await directory.remove();
  });
  const common = ["--state-dir", directory.path, "--nats-url", nats.url, "--log-level", "warn"];
  const serverFlags = ["--listen", "127.0.0.1:0", "--nats-nkey-seed-file", seed("server")];
  const { url = "" } = await start(children, ["server", ...common, ...serverFlags]);
  await start(children, [
    ...["l3-agent", ...common, "--host", host, `--namespace-prefix=${prefix}`, "--nats-nkey-seed-file", seed(`l3-${host}`)],
    ...["--floating-ips-beside", "--floating-ips-nkey-seed-file", seed(`fip-${host}`)],
    `--l3-bridge-mappings=public:${outside.bridge}`,
  ]);
  const client = new RestClient(url);
  context.after(() => client.close());

  const provider = { "provider:network_type": "flat", "provider:physical_network": "public" };
  const external = await client.create("network", { "router:external": true, ...provider });
  await client.create("subnet", { network_id: external.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
  const network = await client.create("network", {});
  const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.1.0.0/24" });
  const router = await client.create("router", { external_gateway_info: { network_id: external.id } });
  await client.request("PUT", `/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
  const port = await client.create("port", { network_id: network.id });
  const floating = await client.create("floatingip", { floating_network_id: external.id, port_id: port.id });

  await waitFor(async () => (await client.show("floatingip", floating.id))["status"] === "ACTIVE", {
    ...{ limitMs: 20_000, what: "floating IP ACTIVE" },
  });
  const namespace = routerNamespaceName(prefix, routerId(router.id));
  const routes = await sh("ip", "-n", namespace, "route", "show", "table", "local", "proto", "static");
  assert.match(routes, new RegExp(`local ${String(floating["floating_ip_address"])} dev qg-`));
  const agents = await client.list("agent");
  const told = agents.map((agent) => `${String(agent["agent_type"])} ${String(agent["alive"])}`);
  assert.deepEqual(new Set(told), new Set(["Floating IP agent true", "L3 agent true"]));
});
