// Agents die and come back, as processes with real dnsmasq and real DHCP clients.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { isNamespace } from "../../src/linux/netns.ts";
import { AgentFleet, type FleetAgent } from "../helpers/agent-fleet.ts";
import { runDhcpClient } from "../helpers/dhcp-client.ts";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import type { Json } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const options = { skip: skipWithoutRoot, timeout: 120_000 };
const quick = ["--dhcp-agent-down-ms", "1500", "--dhcp-failover-after-ms", "3000"];

async function fleet(t: TestContext, count: number, flags: readonly string[] = []): Promise<AgentFleet> {
  const made = await AgentFleet.create(count, [...quick, ...flags]);
  t.after(() => made.destroy());
  return made;
}

async function networkOf({ client }: AgentFleet): Promise<string> {
  const { id } = await client.create("network", { name: "blue" });
  await client.create("subnet", { network_id: id, ip_version: 4, cidr: "10.88.0.0/24" });
  return id;
}

async function activePort({ client }: AgentFleet, networkId: string): Promise<Json & { readonly id: string }> {
  const port = await client.create("port", { network_id: networkId });
  const isActive = async (): Promise<boolean> => (await client.show("port", port.id))["status"] === "ACTIVE";
  await waitFor(isActive, { limitMs: 20_000, what: "port ACTIVE" });
  return port;
}

const addressOf = (port: Json): string =>
  (port["fixed_ips"] as readonly { readonly ip_address: string }[])[0]?.ip_address ?? "";

function agentOn({ agents }: AgentFleet, host: string | undefined): FleetAgent {
  const agent = agents.find((one) => one.host === host);
  assert.ok(agent !== undefined, `no agent of this fleet is on ${host}`);
  return agent;
}

test("DA-230: of two agents one is killed with its host, and a new port still gets its address", options, async (t) => {
  const all = await fleet(t, 2, ["--dhcp-agents-per-network", "2"]);
  for (const agent of all.agents) await agent.start();
  const networkId = await networkOf(all);
  await waitFor(
    async () => (await Promise.all(all.agents.map((agent) => agent.dnsmasqPid(networkId)))).every((pid) => pid > 0),
    {
      limitMs: 20_000,
      what: "both DHCP servers",
    },
  );

  await all.agents[0]?.killHost(networkId);
  const port = await activePort(all, networkId);
  const answer = await runDhcpClient(await all.plug(port), "eth0");

  assert.equal(answer?.ipAddress, addressOf(port));
});

test(
  "DA-230: the only agent is killed with its host, and exactly one other serves with the same address",
  options,
  async (t) => {
    const all = await fleet(t, 3);
    for (const agent of all.agents) await agent.start();
    const networkId = await networkOf(all);
    const port = await activePort(all, networkId);
    const namespace = await all.plug(port);
    const before = await runDhcpClient(namespace, "eth0");
    assert.equal(before?.ipAddress, addressOf(port));
    const [host] = await all.hostsOf(networkId);
    const dead = agentOn(all, host);

    await dead.killHost(networkId);
    const next = await waitFor(async () => (await all.hostsOf(networkId)).find((one) => one !== host), {
      limitMs: 20_000,
      what: "another host",
    });
    await waitFor(async () => (await agentOn(all, next).dnsmasqPid(networkId)) > 0, {
      limitMs: 10_000,
      what: "its DHCP server",
    });
    const after = await waitFor(() => runDhcpClient(namespace, "eth0", { limitMs: 4000 }), {
      limitMs: 20_000,
      what: "an answer",
    });

    assert.deepEqual(await all.hostsOf(networkId), [next]);
    assert.deepEqual([after.ipAddress, after.serverAddress], [before.ipAddress, before.serverAddress]);
    for (const agent of all.agents) {
      if (agent.host !== next) assert.equal(await agent.dnsmasqPid(networkId), 0, `${agent.host} serves, too`);
    }
    const later = await activePort(all, networkId);
    assert.equal((await runDhcpClient(await all.plug(later), "eth0"))?.ipAddress, addressOf(later));
  },
);

test("an agent that comes back after its network was moved stops serving it", options, async (t) => {
  const all = await fleet(t, 2);
  for (const agent of all.agents) await agent.start();
  const networkId = await networkOf(all);
  await activePort(all, networkId);
  const [host] = await all.hostsOf(networkId);
  const lost = agentOn(all, host);

  await lost.kill();
  const next = await waitFor(async () => (await all.hostsOf(networkId)).find((one) => one !== host), {
    limitMs: 20_000,
    what: "another host",
  });
  assert.ok((await lost.dnsmasqPid(networkId)) > 0, "its DHCP server did not outlive the agent");
  await lost.start();

  const isFenced = async (): Promise<boolean> =>
    (await lost.dnsmasqPid(networkId)) === 0 && !isNamespace(lost.namespaceOf(networkId));
  await waitFor(isFenced, { limitMs: 15_000, what: "the end of the old DHCP server" });
  assert.deepEqual(await all.hostsOf(networkId), [next]);
});
