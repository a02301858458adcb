// cloud-init's own datasources, run inside an instance's namespace, read what netloom answers by itself.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { MetadataProxy } from "../../../src/metadata-proxy/metadata-proxy.ts";
import { makeNetwork, makePort, makeSubnet } from "../../helpers/dhcp-network.ts";
import { MetadataBench, openProxy } from "../../helpers/metadata-bench.ts";
import { createTestDirectory, sh, skipWithoutRoot, type TestDirectory } from "../../helpers/namespaces.ts";

// Debian's own Python: cloud-init is a package of it.
const script = fileURLToPath(new URL("../../helpers/cloud-init-read.py", import.meta.url));

interface Read {
  readonly found: boolean;
  readonly instanceId: string;
  readonly hostname: string;
  readonly availabilityZone: string | null;
  readonly userData: string | null;
  readonly network: unknown;
  readonly localIpv4: string | null;
}

describe("cloud-init", { skip: skipWithoutRoot }, () => {
  const network = makeNetwork({ dnsDomain: "blue.example.org.", mtuBytes: 1442 });
  const fixed = makeSubnet(network, {
    enableDhcp: false,
    gatewayIp: "10.20.0.1",
    dnsNameservers: ["192.0.2.53"],
    hostRoutes: [{ destination: "198.51.100.0/24", nexthop: "10.20.0.7" }],
  });
  const dynamic = makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null });
  const bench = new MetadataBench({ network, subnets: [fixed, dynamic], dhcpAddresses: ["10.20.0.2", "10.30.0.2"] });
  const deviceId = "8d5a7f0e-0c52-4f3c-9f1f-3f9b0a6b3c11";
  const port = makePort([fixed, dynamic], ["10.20.0.9", "10.30.0.9"], { deviceId, dnsName: "web-1" });
  let directory: TestDirectory;
  let proxy: MetadataProxy;
  let guest: string;

  const read = async (kind: "OpenStack" | "Ec2"): Promise<Read> =>
    JSON.parse(await sh("ip", "netns", "exec", guest, "/usr/bin/python3", script, kind, directory.path)) as Read;

  before(async () => {
    directory = await createTestDirectory();
    proxy = await openProxy();
    await bench.apply(proxy, [port]);
    guest = await bench.plug(port);
  });
  after(async () => {
    await proxy.close();
    await bench.close();
    await directory.remove();
  });

  test("its OpenStack datasource finds id, name and network", async () => {
    const found = await read("OpenStack");

    assert.equal(found.found, true);
    assert.equal(found.instanceId, deviceId);
    assert.equal(found.hostname, "web-1.blue.example.org");
    assert.equal(found.availabilityZone, "zone-1");
    assert.equal(found.userData, "");
    assert.deepEqual(found.network, {
      version: 1,
      config: [
        {
          type: "physical",
          name: "eth0",
          mac_address: port.macAddress,
          mtu: 1442,
          subnets: [
            {
              type: "static",
              address: "10.20.0.9",
              netmask: "255.255.255.0",
              ipv4: true,
              routes: [
                { network: "0.0.0.0", netmask: "0.0.0.0", gateway: "10.20.0.1" },
                { network: "198.51.100.0", netmask: "255.255.255.0", gateway: "10.20.0.7" },
              ],
            },
            { type: "dhcp4" },
          ],
        },
        { type: "nameserver", address: "192.0.2.53" },
      ],
    });
  });

  test("its EC2 datasource finds id, name and network", async () => {
    const found = await read("Ec2");

    assert.equal(found.found, true);
    assert.equal(found.instanceId, deviceId);
    assert.equal(found.hostname, "web-1.blue.example.org");
    assert.equal(found.localIpv4, "10.20.0.9");
    const { ethernets } = found.network as { readonly ethernets: Record<string, Record<string, unknown>> };
    assert.deepEqual(ethernets["eth0"]?.["match"], { macaddress: port.macAddress });
    assert.equal(ethernets["eth0"]?.["dhcp4"], true);
    assert.deepEqual(ethernets["eth0"]?.["addresses"], ["10.30.0.9/24"], "the second address, on its own subnet");
  });
});
