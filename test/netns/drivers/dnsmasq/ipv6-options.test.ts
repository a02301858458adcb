// What a real DHCPv6 client is told in each of the IPv6 modes, beside IPv4 on the same network.
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { ExtraDhcpOption, Port, Subnet } from "../../../../src/model/network.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { type DhcpAnswer, runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import { randomMac, skipWithoutRoot, waitForLinkLocal } from "../../../helpers/namespaces.ts";

const bootUrl: ExtraDhcpOption = { optName: "bootfile-url", optValue: "http://[2001:db8:5::9]/boot", ipVersion: 6 };

describe("options over IPv6", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench | undefined;

  afterEach(async () => {
    await bench?.close();
    bench = undefined;
  });

  async function start(six: Partial<Subnet>, ports: (subnets: readonly Subnet[]) => readonly Port[]): Promise<DhcpBench> {
    const network = makeNetwork({ dnsDomain: "blue.example.org." });
    const subnets = [
      makeSubnet(network),
      makeSubnet(network, {
        ...{ cidr: "2001:db8:5::/64", ipVersion: 6, gatewayIp: "2001:db8:5::1", dnsNameservers: ["2001:db8:5::53"] },
        ...six,
      }),
    ];
    bench = await DhcpBench.create({ network, subnets, dhcpAddresses: ["10.20.0.2", "2001:db8:5::2"] });
    await bench.apply(ports(subnets));
    return bench;
  }

  /** The client speaks from its link-local address. */
  async function plug(on: DhcpBench, mac: string): Promise<string> {
    const instance = await on.plug(mac);
    await waitForLinkLocal(instance);
    return instance;
  }

  const ask = async (instance: string, flags: readonly string[] = [], limitMs = 12_000): Promise<DhcpAnswer | undefined> =>
    runDhcpClient(instance, "eth0", { kind: "dhclient6", flags, limitMs, config: "also request dhcp6.bootfile-url;\n" });
  const urlOf = (answer: DhcpAnswer | undefined): string | undefined =>
    answer?.told.get("new_dhcp6_bootfile_url") ?? answer?.told.get("new_dhcp6_unknown_59");

  const stateful = { ipv6AddressMode: "dhcpv6-stateful", ipv6RaMode: "dhcpv6-stateful" } as const;
  const stateless = { ipv6AddressMode: "dhcpv6-stateless", ipv6RaMode: "dhcpv6-stateless" } as const;

  test("DA-131 DA-147: stateful: the address, name servers, domain and the port's own options; IPv4 beside it", async () => {
    const mac = randomMac();
    const on = await start(stateful, (subnets) => [
      makePort(subnets, ["10.20.0.5", "2001:db8:5::a"], { macAddress: mac, dnsName: "web", extraDhcpOpts: [bootUrl] }),
    ]);
    const instance = await plug(on, mac);

    const six = await ask(instance);
    const four = await runDhcpClient(instance, "eth0");

    assert.equal(six?.ipAddress, "2001:db8:5::a");
    assert.deepEqual(six.dnsServers, ["2001:db8:5::53"]);
    assert.match(six.told.get("new_dhcp6_domain_search") ?? "", /^blue\.example\.org/);
    assert.equal(urlOf(six), "http://[2001:db8:5::9]/boot");
    assert.equal(four?.ipAddress, "10.20.0.5");
  });

  test("DA-135: two addresses of one port on a stateful subnet: the client gets one of them, another MAC none", async () => {
    const mac = randomMac();
    const on = await start({}, ([, six = assert.fail()]) => [
      makePort([six, six], ["2001:db8:5::a", "2001:db8:5::b"], { macAddress: mac }),
    ]);

    const own = await ask(await plug(on, mac));
    const stranger = await ask(await plug(on, randomMac()), [], 3000);

    assert.match(own?.ipAddress ?? "", /^2001:db8:5::[ab]$/, "modes that are not set are stateful");
    assert.equal(stranger, undefined);
  });

  test("DA-134: stateless: options without an address, the port's own among them", async () => {
    const mac = randomMac();
    const on = await start(stateless, (subnets) => [
      makePort(subnets, ["10.20.0.5", "2001:db8:5::a"], { macAddress: mac, extraDhcpOpts: [bootUrl] }),
    ]);
    const instance = await plug(on, mac);

    const six = await ask(instance, ["-S"]);
    const four = await runDhcpClient(instance, "eth0");

    assert.deepEqual(six?.dnsServers, ["2001:db8:5::53"]);
    assert.equal(six.ipAddress, "");
    assert.equal(urlOf(six), "http://[2001:db8:5::9]/boot");
    assert.equal(four?.ipAddress, "10.20.0.5", "the line without an address does not hide the one with it");
  });

  test("DA-149: stateless with no name servers to announce: none are told, not even the agent's", async () => {
    const mac = randomMac();
    const on = await start({ ...stateless, dnsNameservers: ["::"] }, (subnets) => [
      makePort(subnets, ["10.20.0.5", "2001:db8:5::a"], { macAddress: mac }),
    ]);

    const six = await ask(await plug(on, mac), ["-S"]);

    assert.match(six?.told.get("new_dhcp6_domain_search") ?? "", /^blue/);
    assert.deepEqual(six?.dnsServers, []);
  });

  test("DA-136: slaac: nothing over DHCPv6, IPv4 as ever", async () => {
    const mac = randomMac();
    const on = await start({ ipv6AddressMode: "slaac", ipv6RaMode: "slaac" }, (subnets) => [
      makePort(subnets, ["10.20.0.5", "2001:db8:5::a"], { macAddress: mac }),
    ]);
    const instance = await plug(on, mac);

    assert.equal(await ask(instance, ["-S"], 2500), undefined);
    assert.equal((await runDhcpClient(instance, "eth0"))?.ipAddress, "10.20.0.5");
  });
});
