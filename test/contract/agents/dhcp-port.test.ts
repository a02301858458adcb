// What the server makes and gives when an agent claims its port.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Port } from "../../../src/model/network.ts";
import { dhcpDeviceId } from "../../../src/model/device-names.ts";
import { networkId as toNetworkId } from "../../../src/model/ids.ts";
import { claimPortReplySchema } from "../../../src/types/agent-messages.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { idOf } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";

async function claimed(agent: RawAgent, networkId: string, subnetIds: readonly string[]): Promise<Port> {
  const { port } = claimPortReplySchema.parse(await agent.call("claimDhcpPort", { networkId, subnetIds }));
  assert.ok(port !== null, "the claim was answered with nothing");
  return port;
}

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  const start = async (options: Parameters<typeof ServerRig.start>[1] = {}): Promise<ServerRig> => {
    const rig = await ServerRig.start(await openFresh(), options);
    rigs.push(rig);
    return rig;
  };
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
  });

  test("DA-178: a DHCP port is made with the network's project, no name, and the agent's identity", async () => {
    const rig = await start();
    const agent = rig.agent("node-1.example.org");
    await agent.sync();
    const { networkId, subnetId } = await rig.network({}, { project_id: "blue" });

    const port = await claimed(agent, networkId, [subnetId]);

    const shown = await rig.showPort(port.id);
    const fixedIps = shown["fixed_ips"] as readonly { readonly subnet_id: string }[];
    assert.deepEqual(
      {
        name: shown["name"],
        admin: shown["admin_state_up"],
        device: shown["device_id"],
        owner: shown["device_owner"],
        project: shown["project_id"],
        host: shown["binding:host_id"],
        subnets: fixedIps.map((ip) => ip.subnet_id),
      },
      {
        name: "",
        admin: true,
        device: dhcpDeviceId("node-1", toNetworkId(networkId)),
        owner: "network:dhcp",
        project: "blue",
        host: "node-1.example.org",
        subnets: [subnetId],
      },
    );
  });

  test("DA-183: a claim keeps addresses on subnets that are still wanted and drops the others", async () => {
    const rig = await start();
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const second = await rig.subnet(networkId, { cidr: "10.1.0.0/24" });
    const third = await rig.subnet(networkId, { cidr: "10.2.0.0/24" });
    const before = await claimed(agent, networkId, [subnetId, second]);

    const after = await claimed(agent, networkId, [second, third]);

    assert.equal(after.id, before.id);
    assert.deepEqual(after.fixedIps.map((ip) => ip.subnetId).toSorted(), [second, third].toSorted());
    const addressOn = (port: Port, subnet: string): string | undefined =>
      port.fixedIps.find((ip) => ip.subnetId === subnet)?.ipAddress;
    assert.equal(addressOn(after, second), addressOn(before, second));
  });

  test("DA-185: two agents that reach for reserved ports at the same moment get one each", async () => {
    const rig = await start({ agentsPerNetwork: 2 });
    const agents = [rig.agent("node-1"), rig.agent("node-2")];
    for (const agent of agents) await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const body = { device_owner: "network:dhcp", device_id: "reserved_dhcp_port" };
    const reserved = [idOf(await rig.port(networkId, body)), idOf(await rig.port(networkId, body))];

    const ports = await Promise.all(agents.map((agent) => claimed(agent, networkId, [subnetId])));

    assert.deepEqual(ports.map(({ id }) => id).toSorted(), reserved.toSorted());
  });
});
