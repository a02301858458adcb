// Real clients of every kind on a network that two agents serve, while what serves them is killed: agents, lease buses, servers, and
// in the end a whole host. Nobody loses its address, and everybody who asks for more time gets it.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { AgentFleet } from "../helpers/agent-fleet.ts";
import { kill } from "../helpers/children.ts";
import { runDhcpClient } from "../helpers/dhcp-client.ts";
import { findProcessesOf } from "../helpers/instance.ts";
import { LivingClient, livingKinds } from "../helpers/living-client.ts";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import type { Json } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

interface Guest {
  readonly client: LivingClient;
  readonly address: string;
}

const addressesOf = (port: Json): readonly string[] =>
  // The cast: the API's documented form.
  (port["fixed_ips"] as readonly { readonly ip_address: string }[]).map((fixed) => fixed.ip_address);

suite("clients of two agents", { skip: skipWithoutRoot }, () => {
  let fleet: AgentFleet;
  let networkId = "";
  const guests: Guest[] = [];

  const servers = async (): Promise<readonly number[]> => Promise.all(fleet.agents.map((agent) => agent.dnsmasqPid(networkId)));
  const activePort = async (): Promise<Json & { readonly id: string }> => {
    const port = await fleet.client.create("port", { network_id: networkId });
    const isActive = async (): Promise<boolean> => (await fleet.client.show("port", port.id))["status"] === "ACTIVE";
    await waitFor(isActive, { limitMs: 20_000, what: "port ACTIVE" });
    return port;
  };

  before(async () => {
    fleet = await AgentFleet.create(2, ["--dhcp-agents-per-network", "2"]);
    for (const agent of fleet.agents) await agent.start();
    networkId = (await fleet.client.create("network", { name: "blue" })).id;
    const mode = "dhcpv6-stateful";
    await fleet.client.create("subnet", { network_id: networkId, ip_version: 4, cidr: "10.88.0.0/24" });
    await fleet.client.create("subnet", {
      ...{ network_id: networkId, ip_version: 6, cidr: "2001:db8:88::/64", ipv6_address_mode: mode, ipv6_ra_mode: mode },
    });
    for (const kind of livingKinds) {
      const port = await activePort();
      const client = await LivingClient.create(kind, await fleet.plug(port));
      const address = addressesOf(port).find((one) => one.includes(":") === (kind === "dhclient6")) ?? "";
      guests.push({ client, address });
      await client.start();
      assert.equal((await client.next(["bound"])).address, address);
    }
    await waitFor(async () => (await servers()).every((pid) => pid > 0), { limitMs: 20_000, what: "both DHCP servers" });
  });
  after(async () => {
    for (const { client } of guests) await client.close();
    await fleet.destroy();
  });

  /** No matter which server answers. */
  async function assertRenewed(rebind: number): Promise<void> {
    await Promise.all(
      guests.map(async ({ client, address }) => {
        await client.forget();
        await client.renewSoon({ renew: 2, rebind });
        assert.equal((await client.next(["renew", "rebind"], 40_000)).address, address);
        assert.deepEqual(await client.addresses(), [address]);
      }),
    );
  }

  test("agents that are killed are not missed by anybody who renews", async () => {
    const before = await servers();
    for (const agent of fleet.agents) await agent.kill();

    await assertRenewed(1000);

    assert.deepEqual(await servers(), before);
    for (const agent of fleet.agents) await agent.start();
    assert.deepEqual(await servers(), before, "the next agents adopt them");
  });

  test("lease buses that are killed are not missed by anybody who renews, comes or inherits an address", async () => {
    const [first] = [await activePort()];
    assert.ok((await runDhcpClient(await fleet.plug(first), "eth0")) !== undefined);
    const before = await servers();
    for (const agent of fleet.agents) {
      const [bus = 0] = await findProcessesOf(agent.stateDir, "dbus-daemon");
      assert.ok(bus > 0, `no bus of ${agent.host}`);
      process.kill(bus, "SIGKILL");
    }

    await assertRenewed(1000);
    await fleet.client.remove("port", first.id);
    const fixedIps = [{ ip_address: addressesOf(first).find((one) => !one.includes(":")) ?? "" }];
    const heir = await fleet.client.create("port", { network_id: networkId, fixed_ips: fixedIps });
    await waitFor(async () => (await fleet.client.show("port", heir.id))["status"] === "ACTIVE", {
      ...{ limitMs: 20_000, what: "the heir ACTIVE" },
    });

    assert.equal((await runDhcpClient(await fleet.plug(heir), "eth0"))?.ipAddress, fixedIps[0]?.ip_address);
    assert.deepEqual(await servers(), before, "no server is started anew for a bus");
  });

  test("servers that are killed are followed by others, which renew what the first ones gave", async () => {
    const before = await servers();
    for (const pid of before) kill(pid, "SIGKILL");
    const areNew = async (): Promise<boolean> => (await servers()).every((pid, index) => pid > 0 && pid !== before[index]);
    await waitFor(areNew, { limitMs: 10_000, what: "the next servers" });

    await assertRenewed(1000);
  });

  for (const which of [0, 1])
    test(`host ${which + 1} dies: its clients' renewals are answered by the other one`, async () => {
      const [dead, other] = which === 0 ? fleet.agents : fleet.agents.toReversed();
      assert.ok(dead !== undefined && other !== undefined);
      const pid = await other.dnsmasqPid(networkId);
      await dead.killHost(networkId);

      await assertRenewed(4);

      assert.equal(await other.dnsmasqPid(networkId), pid);
      await dead.start();
      await waitFor(async () => (await dead.dnsmasqPid(networkId)) > 0, {
        limitMs: 20_000,
        what: "the server of its next agent",
      });
    });
});
