// Starts that cannot work, or have to work under odd conditions.
import assert from "node:assert/strict";
import { chmod, readFile } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "../../../../src/base/logger.ts";
import { DnsmasqDriver } from "../../../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet, makeView } from "../../../helpers/dhcp-network.ts";
import { sh, skipWithoutRoot, waitForLinkLocal } from "../../../helpers/namespaces.ts";
import { noMetadata } from "../../../../src/model/metadata-plan.ts";

describe("a start of dnsmasq", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;

  afterEach(async () => bench.close());

  const ownerOf = async (pid: number): Promise<string> => (await sh("stat", "-c", "%U", `/proc/${pid}`)).trim();

  test("gives up root where its files can be read by others", async () => {
    bench = await DhcpBench.create();
    await bench.apply([makePort(bench.subnets, ["10.20.0.5"])]);

    assert.notEqual(await ownerOf(await bench.pid()), "root");
  });

  test("serves from a closed state directory too, as root, and says so", async () => {
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (_fields: unknown, message: string) => warnings.push(message) };
    bench = await DhcpBench.create({ log });
    await chmod(bench.stateDir, 0o700);
    bench.driver = bench.newDriver();
    const [first, second] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([first]);
    await bench.apply([second]);

    const answer = await runDhcpClient(await bench.plug(second.macAddress), "eth0");

    assert.equal(answer?.ipAddress, "10.20.0.6");
    assert.equal(await ownerOf(await bench.pid()), "root");
    assert.match(warnings.join(), /as root/);
  });

  test("that dnsmasq refuses throws its own words, and the next apply repairs", async () => {
    bench = await DhcpBench.create({ options: { dnsServers: ["nonsense/"] } });
    const port = makePort(bench.subnets, ["10.20.0.5"]);

    await assert.rejects(bench.apply([port]), /dnsmasq failed: .*bad command line options/);

    const repaired = new DnsmasqDriver({ runner: processRunner(), stateDir: bench.stateDir, log: silentLogger });
    bench.driver = repaired;
    assert.equal(await bench.apply([port]), "started");
  });

  test("without dnsmasq installed says what to install", async () => {
    bench = await DhcpBench.create();
    const view = makeView(bench.network, bench.subnets, [bench.dhcpPort]);
    const device = await bench.devices.setup(view, bench.dhcpPort, { verify: false, metadata: noMetadata });
    // nsenter is in /usr/bin, dnsmasq is not.
    const runner = processRunner("/usr/bin:/bin");
    const driver = new DnsmasqDriver({ runner, stateDir: bench.stateDir, log: silentLogger });

    await assert.rejects(driver.apply({ view, dhcpPort: bench.dhcpPort, device, metadata: noMetadata }), {
      code: "UNAVAILABLE",
      message: "dnsmasq is not installed: apt-get install dnsmasq-base",
    });
  });

  test("serves IPv4 and stateful IPv6 together", async () => {
    const network = makeNetwork();
    const subnets = [
      makeSubnet(network),
      makeSubnet(network, {
        cidr: "2001:db8:5::/64",
        ipVersion: 6,
        gatewayIp: "2001:db8:5::1",
        dnsNameservers: ["2001:db8:5::53"],
        ipv6AddressMode: "dhcpv6-stateful",
        ipv6RaMode: "dhcpv6-stateful",
      }),
    ];
    bench = await DhcpBench.create({ network, subnets, dhcpAddresses: ["10.20.0.2", "2001:db8:5::2"] });
    const port = makePort(subnets, ["10.20.0.5", "2001:db8:5::a"]);
    await bench.apply([port]);
    const instance = await bench.plug(port.macAddress);

    const four = await runDhcpClient(instance, "eth0");
    // The client speaks from there.
    await waitForLinkLocal(instance);
    const six = await runDhcpClient(instance, "eth0", { kind: "dhclient6", limitMs: 12_000 });

    assert.equal(four?.ipAddress, "10.20.0.5");
    assert.equal(six?.ipAddress, "2001:db8:5::a");
    assert.deepEqual(six.dnsServers, ["2001:db8:5::53"]);

    // The lease of a DHCPv6 port that goes is gone too.
    await bench.apply([makePort(subnets, ["10.20.0.6", "2001:db8:5::b"])]);
    assert.doesNotMatch(await readFile(bench.file("leases"), "utf8"), /2001:db8:5::a/);
  });
});
