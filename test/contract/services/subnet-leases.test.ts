import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { admin, everything } from "../../helpers/network-services.ts";
import { ServerRig } from "../../helpers/server-rig.ts";

forEachDatabase((_name, openFresh) => {
  test("leases go with the DHCP of their subnet, and with the subnet", async (t) => {
    const rig = await ServerRig.start(await openFresh());
    t.after(() => rig.close());
    const { subnets, leases } = rig.parts.services;
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId, subnetId } = await rig.network();
    const other = await rig.subnet(networkId, { cidr: "10.0.1.0/24" });
    // As text its addresses begin like the key of an address of the first subnet.
    const ipv6 = await rig.subnet(networkId, { ip_version: 6, cidr: "a00:1::/64", ipv6_address_mode: "dhcpv6-stateful" });
    const elsewhere = await rig.network();
    const lease = { event: "add", macAddress: null, hostname: null, expiresAtMs: null, observedAtMs: 1_000_000 };
    const ofNetwork = ["10.0.0.9", "10.0.0.254", "10.0.1.9", "a00:1::9"].map((ipAddress) => ({
      ...lease,
      networkId,
      ipAddress,
    }));
    await agent.report({ leases: [...ofNetwork, { ...lease, networkId: elsewhere.networkId, ipAddress: "10.0.0.9" }] });
    const left = async (): Promise<readonly string[]> =>
      (await leases.list(admin, everything)).map((one) => String(one["ip_address"])).toSorted();

    await subnets.update(admin, subnetId, { name: "still served" });
    assert.equal((await left()).length, 5);
    await subnets.update(admin, subnetId, { enable_dhcp: false });
    assert.deepEqual(await left(), ["10.0.0.9", "10.0.1.9", "a00:1::9"]);
    await subnets.remove(admin, ipv6);
    assert.deepEqual(await left(), ["10.0.0.9", "10.0.1.9"]);
    await subnets.remove(admin, other);
    assert.deepEqual(await left(), ["10.0.0.9"], "what is left is the other network's");
  });
});
