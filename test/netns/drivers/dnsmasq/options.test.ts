// What real clients are told over IPv4: options of the subnet, of the port, and of the kind of client.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ExtraDhcpOption } from "../../../../src/model/network.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { type DhcpAnswer, runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";

const options = (...list: readonly (readonly [optName: string, optValue: string])[]): readonly ExtraDhcpOption[] =>
  list.map(([optName, optValue]) => ({ optName, optValue, ipVersion: 4 }));

const routesConfig = `option classless code 121 = array of unsigned integer 8;
option microsoft code 249 = array of unsigned integer 8;
also request classless, microsoft, domain-search;
`;

describe("options over IPv4", { skip: skipWithoutRoot }, () => {
  const network = makeNetwork({ mtuBytes: 1437, dnsDomain: "blue.example.org." });
  const subnets = [
    makeSubnet(network, {
      dnsNameservers: ["9.9.9.9", "1.1.1.1", "8.8.8.8"],
      hostRoutes: [{ destination: "172.16.0.0/12", nexthop: "10.20.0.9" }],
    }),
    makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null, dnsNameservers: ["0.0.0.0"] }),
    makeSubnet(network, { cidr: "10.40.0.0/24", gatewayIp: null, enableDhcp: false }),
  ];
  const [first = assert.fail(), second = assert.fail(), off = assert.fail()] = subnets;
  const plain = makePort([first], ["10.20.0.5"]);
  const onSecond = makePort([second, off], ["10.30.0.6", "10.40.0.6"]);
  const special = makePort([first], ["10.20.0.7"], {
    extraDhcpOpts: options(
      ["mtu", "1400"],
      ["ntp-server", "10.0.0.1,10.0.0.2"],
      ["bootfile-name", "undionly.kpxe"],
      ["tag:efi64,bootfile-name", "ipxe.efi"],
      ["tag:ipxe,67", "http://10.0.0.3/boot"],
      ["server-ip-address", "10.0.0.3"],
      ["client-id", "ff:00:11:22"],
    ),
  });
  const withoutRoutes = makePort([first], ["10.20.0.8"], {
    extraDhcpOpts: options(["router", ""], ["classless-static-route", ""], ["mtu", "1400"]),
  });
  let bench: DhcpBench;
  const places = new Map<string, string>();

  before(async () => {
    bench = await DhcpBench.create({
      network,
      subnets,
      dhcpAddresses: ["10.20.0.2", "10.30.0.2"],
      options: { renewalSeconds: 1000, rebindingSeconds: 2000, leaseSeconds: 4000 },
    });
    const ports = [plain, onSecond, special, withoutRoutes];
    await bench.apply(ports);
    for (const port of ports) places.set(port.id, await bench.plug(port.macAddress));
  });
  after(async () => bench.close());

  async function ask(port: { readonly id: string }, config: string, flags: readonly string[] = []): Promise<DhcpAnswer> {
    const answer = await runDhcpClient(places.get(port.id) ?? "", "eth0", { kind: "dhclient", config, flags });
    assert.ok(answer !== undefined, "nobody answered");
    return answer;
  }

  test("DA-138 DA-140: udhcpc is told the routes, by both numbers, and the default route among them", async () => {
    const flags = ["-O", "msstaticroutes", "-O", "search"];
    const answer = await runDhcpClient(places.get(plain.id) ?? "", "eth0", { flags });

    const expected = "10.30.0.0/24 0.0.0.0 10.40.0.0/24 0.0.0.0";
    const routes = answer?.staticRoutes ?? "";
    assert.deepEqual(routes.split(" ").slice(0, 4).toSorted(), expected.split(" ").toSorted());
    assert.equal(routes.split(" ").slice(4).join(" "), "172.16.0.0/12 10.20.0.9 0.0.0.0/0 10.20.0.1");
    assert.equal(answer?.told.get("msstaticroutes"), routes);
    assert.equal(answer?.told.get("search"), "blue.example.org");
    assert.deepEqual(answer?.routers, ["10.20.0.1"]);
  });

  test("DA-126 DA-139: dhclient is told routes, domain, MTU, name servers in their order, times of the lease", async () => {
    const answer = await ask(plain, routesConfig);

    assert.equal(answer.ipAddress, "10.20.0.5");
    assert.match(answer.told.get("new_classless") ?? "", /12 172 16 10 20 0 9 0 10 20 0 1$/);
    assert.equal(answer.told.get("new_microsoft"), answer.told.get("new_classless"));
    assert.equal(answer.told.get("new_domain_search"), "blue.example.org.");
    assert.equal(answer.domain, "blue.example.org");
    assert.deepEqual(answer.dnsServers, ["9.9.9.9", "1.1.1.1", "8.8.8.8"]);
    assert.equal(answer.mtuBytes, 1437);
    assert.equal(answer.leaseSeconds, 4000);
    assert.equal(answer.told.get("new_dhcp_renewal_time"), "1000");
    assert.equal(answer.told.get("new_dhcp_rebinding_time"), "2000");
  });

  test("DA-132 DA-139 DA-142: a subnet without gateway and name servers says so, and gives its own address", async () => {
    const answer = await ask(onSecond, routesConfig);

    assert.equal(answer.ipAddress, "10.30.0.6");
    assert.deepEqual(answer.routers, []);
    assert.deepEqual(answer.dnsServers, []);
    assert.equal(answer.serverAddress, "10.30.0.2");
  });

  test("DA-133: a port's options go to its MAC or client-id, over those of its network", async () => {
    const wants = "also request ntp-servers, interface-mtu;\n";
    const byMac = await ask(special, wants);
    const byIdentity = await ask(special, `${wants}send dhcp-client-identifier ff:00:11:22;\n`);

    for (const answer of [byMac, byIdentity]) {
      assert.equal(answer.ipAddress, "10.20.0.7");
      assert.equal(answer.mtuBytes, 1400);
      assert.equal(answer.told.get("new_ntp_servers"), "10.0.0.1 10.0.0.2");
    }
  });

  test("DA-133: a port whose router and routes are empty is told none, and all else", async () => {
    const answer = await ask(withoutRoutes, `${routesConfig}also request interface-mtu;\n`);

    assert.equal(answer.ipAddress, "10.20.0.8");
    assert.deepEqual(answer.routers, []);
    for (const name of ["new_classless", "new_microsoft"]) assert.equal(answer.told.get(name) ?? "", "", name);
    assert.equal(answer.mtuBytes, 1400);
    assert.deepEqual(answer.dnsServers, ["9.9.9.9", "1.1.1.1", "8.8.8.8"]);
  });

  const asks = "also request bootfile-name, tftp-server-name;\n";
  const fileOf = ({ told }: DhcpAnswer): string | undefined => told.get("new_bootfile_name") ?? told.get("new_filename");

  test("DA-145 DA-146: the boot file depends on the client: a plain one, EFI by its architecture, iPXE by its own option", async () => {
    const bios = await ask(special, `${asks}send vendor-class-identifier "PXEClient:Arch:00000";\n`);
    const efi = await ask(
      special,
      `${asks}option arch code 93 = unsigned integer 16;\nsend arch 7;\nsend vendor-class-identifier "PXEClient:Arch:00007";\n`,
    );
    const ipxe = await ask(special, `${asks}option ipxe code 175 = string;\nsend ipxe 01:01:01;\n`);

    assert.equal(fileOf(bios), "undionly.kpxe");
    assert.equal(fileOf(efi), "ipxe.efi");
    assert.equal(fileOf(ipxe), "http://10.0.0.3/boot");
    assert.equal(ipxe.told.get("new_next_server"), "10.0.0.3");
  });

  test("DA-145: another MAC gets no boot file", async () => {
    const answer = await ask(plain, `${asks}send vendor-class-identifier "PXEClient:Arch:00000";\n`);

    assert.equal(fileOf(answer), undefined);
    assert.equal(answer.mtuBytes, 1437);
  });
});
