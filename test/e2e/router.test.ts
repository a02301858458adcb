// A router as a user makes one: two networks, a way out, instances that reach each other and the outside.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { suite, test } from "node:test";
import { findProcessesOf } from "../helpers/instance.ts";
import { createNamespace, deleteNamespace, deviceNames, sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp, netloom } from "../helpers/netloom-up.ts";
import { openOutside, type OutsideSegment } from "../helpers/outside-segment.ts";
import type { Json, RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

interface Guest {
  readonly namespace: string;
  readonly address: string;
}

/** Asks every second; resolves when an answer came, and rejects when none did in five. */
const ping = (from: string, to: string): Promise<string> =>
  sh("ip", "netns", "exec", from, "ping", "-n", "-c", "1", "-w", "5", to);

/** A network with one plugged instance whose default route leads to the subnet's gateway. */
async function addNetwork(up: NetloomUp, client: RestClient, { name, cidr }: { readonly name: string; readonly cidr: string }) {
  const network = await client.create("network", { name });
  const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr });
  const port = await client.create("port", { network_id: network.id, name });
  const namespace = await createNamespace(`${up.prefix}${name}`);
  const plugged = await netloom([
    ...["port", "plug", port.id, "--netns", namespace, "--url", up.url, "--state-dir", up.stateDir],
  ]);
  assert.equal(plugged.exitCode, 0, plugged.stderr);
  const [fixed] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
  const address = fixed?.ip_address ?? "";
  await sh("ip", "-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
  await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
  await sh("ip", "-n", namespace, "route", "add", "default", "via", String(subnet["gateway_ip"]));
  return { network, subnet, guest: { namespace, address } satisfies Guest };
}

async function addGateway(client: RestClient): Promise<Json & { readonly id: string }> {
  const network = await client.create("network", {
    ...{ name: "public", "router:external": true },
    ...{ "provider:network_type": "flat", "provider:physical_network": "public" },
  });
  await client.create("subnet", {
    ...{ network_id: network.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false, gateway_ip: "203.0.113.254" },
    allocation_pools: [{ start: "203.0.113.10", end: "203.0.113.99" }],
  });
  return network;
}

suite("a router", { skip: skipWithoutRoot }, () => {
  test("joins two networks, leads outside, outlives its agent, and goes with down", async (context) => {
    const outside: OutsideSegment = await openOutside(`t${Math.random().toString(36).slice(2, 8)}-`);
    context.after(() => outside.remove());
    const up = await NetloomUp.create([`--l3-bridge-mappings=public:${outside.bridge}`]);
    context.after(() => up.destroy());
    await up.start();
    const client = up.client();
    context.after(() => client.close());
    const external = await addGateway(client);
    const one = await addNetwork(up, client, { name: "one", cidr: "10.1.0.0/24" });
    context.after(() => deleteNamespace(one.guest.namespace));
    const two = await addNetwork(up, client, { name: "two", cidr: "10.2.0.0/24" });
    context.after(() => deleteNamespace(two.guest.namespace));

    const router = await client.create("router", { name: "r", external_gateway_info: { network_id: external.id } });
    for (const { subnet } of [one, two]) {
      const answer = await client.request("PUT", `/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    }

    await waitFor(() => ping(one.guest.namespace, two.guest.address), { limitMs: 10_000, what: "a ping to the other network" });
    await waitFor(() => ping(one.guest.namespace, outside.address), { limitMs: 10_000, what: "a ping to the outside" });
    await waitFor(() => ping(two.guest.namespace, outside.address), { limitMs: 10_000, what: "a ping from the other network" });
    // Not the router: that one is ACTIVE from the beginning.
    const ports = await waitFor(
      async () => {
        const all = await client.list("port", `?device_id=${router.id}`);
        return all.every((port) => port["status"] === "ACTIVE") && all;
      },
      { limitMs: 20_000, what: "the router's ports ACTIVE" },
    );
    assert.equal(ports.length, 3);
    assert.equal((await client.show("router", router.id))["status"], "ACTIVE");
    const agents = await client.list("agent");
    const l3 = agents.find((agent) => agent["agent_type"] === "L3 agent");
    assert.equal(l3?.["alive"], true);
    assert.equal(l3?.["host"], up.host);

    const url = "http://169.254.169.254/openstack/latest/meta_data.json";
    const told = await sh("ip", "netns", "exec", one.guest.namespace, "curl", "-sf", "-m", "5", url);
    assert.equal((JSON.parse(told) as { name: string }).name, "host-" + one.guest.address.replaceAll(".", "-"));

    assert.equal(await up.stop(), 0);
    await ping(one.guest.namespace, outside.address);
    await up.start();
    await ping(one.guest.namespace, outside.address);

    const down = await up.down();
    assert.equal(down.exitCode, 0, down.stderr);
    assert.match(down.stdout, /1 routers/);
    assert.deepEqual(await findProcessesOf(up.stateDir), []);
    const left = (await readdir("/run/netns")).filter((name) => name.startsWith(`${up.prefix}q`));
    assert.deepEqual(left, []);
    const parts = ports.map((port) => port.id.slice(0, 11));
    assert.deepEqual(
      [...(await deviceNames())].filter((name) => parts.some((part) => name.includes(part))),
      [],
    );
    assert.ok((await deviceNames()).has(outside.bridge), "the operator's bridge was removed");
  });
});
