// What an operator chooses, on the real dnsmasq.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "../../../../src/base/logger.ts";
import { readFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import type { ExtraDhcpOption } from "../../../../src/model/network.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import { createTestDirectory, randomMac, sh, skipWithoutRoot, type TestDirectory } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

describe("what an operator chooses", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench | undefined;
  let directory: TestDirectory | undefined;

  afterEach(async () => {
    await bench?.close();
    await directory?.remove();
    bench = undefined;
    directory = undefined;
  });

  async function logDirectory(): Promise<string> {
    directory = await createTestDirectory();
    return join(directory.path, "logs");
  }

  test("DA-118: a lease for ever", async () => {
    bench = await DhcpBench.create({ options: { leaseSeconds: -1 } });
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);

    const answer = await runDhcpClient(await bench.plug(port.macAddress), "eth0");

    assert.equal(answer?.leaseSeconds, 2 ** 32 - 1);
  });

  test("DA-120: names without a domain", async () => {
    bench = await DhcpBench.create({ options: { dnsDomain: "" } });
    const port = makePort(bench.subnets, ["10.20.0.5"], { dnsName: "web" });
    await bench.apply([port]);

    const answer = await runDhcpClient(await bench.plug(port.macAddress), "eth0");

    assert.equal(answer?.hostname, "web");
    assert.equal(answer.domain, undefined);
  });

  test("DA-124: a log of each network, with what clients asked", async () => {
    const baseLogDirectory = await logDirectory();
    bench = await DhcpBench.create({ options: { baseLogDirectory } });
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await runDhcpClient(await bench.plug(port.macAddress), "eth0");

    const text = await readFile(join(baseLogDirectory, bench.network.id, "dhcp_dns_log"), "utf8");

    assert.match(text, new RegExp(`DHCPACK\\(\\S+\\) 10\\.20\\.0\\.5 ${port.macAddress}`));
  });

  test("DA-124: without a place for the log there is DHCP all the same, and an error", async () => {
    const errors: string[] = [];
    const log = { ...silentLogger, error: (_fields: unknown, message: string) => errors.push(message) };
    const baseLogDirectory = await logDirectory();
    await writeFile(baseLogDirectory, "a file where the directory should be");
    bench = await DhcpBench.create({ options: { baseLogDirectory }, log });
    const port = makePort(bench.subnets, ["10.20.0.5"]);

    assert.equal(await bench.apply([port]), "started");
    assert.equal(await bench.apply([port]), "unchanged");

    assert.equal((await runDhcpClient(await bench.plug(port.macAddress), "eth0"))?.ipAddress, "10.20.0.5");
    assert.deepEqual(errors, ["log directory of dnsmasq cannot be made"]);
  });

  test("DA-119 DA-126: a configuration file of its own and a TXT record", async () => {
    directory = await createTestDirectory();
    await sh("chmod", "755", directory.path);
    const dnsmasqConfigFile = join(directory.path, "extra.conf");
    await writeFile(dnsmasqConfigFile, "txt-record=from.file,yes\n");
    bench = await DhcpBench.create({ options: { dnsmasqConfigFile, txtRecord: "about.cloud,made with care" } });
    await bench.apply([]);
    const instance = await bench.plug(randomMac());
    await sh("ip", "-n", instance, "addr", "add", "10.20.0.200/24", "dev", "eth0");
    const dig = async (name: string): Promise<string> =>
      (
        await sh("nsenter", `--net=/run/netns/${instance}`, "dig", "+short", "+time=1", "+tries=10", "TXT", name, "@10.20.0.2")
      ).trim();

    await waitFor(async () => (await dig("about.cloud")) === '"made with care"', { limitMs: 10_000, what: "the TXT record" });
    assert.equal(await dig("from.file"), '"yes"');
  });

  test("DA-128: its DNS answers the network's own and no stranger, though packets find the way", async () => {
    bench = await DhcpBench.create();
    await bench.apply([makePort(bench.subnets, ["10.20.0.5"], { dnsName: "web" })]);
    const instance = await bench.plug(randomMac());
    const ask = async (from: string, tries: number): Promise<string> => {
      const how = ["-b", from, "+short", "+time=1", `+tries=${tries}`];
      const argv = [`--net=/run/netns/${instance}`, "dig", ...how, "web.openstacklocal", "@10.20.0.2"];
      return sh("nsenter", ...argv).catch(() => "no answer");
    };
    await sh("ip", "-n", instance, "addr", "add", "10.20.0.200/24", "dev", "eth0");
    await sh("ip", "-n", instance, "addr", "add", "192.0.2.5/32", "dev", "eth0");
    const device = `ns-${bench.dhcpPort.id.slice(0, 11)}`;
    await sh("ip", "-n", bench.namespace, "route", "add", "192.0.2.0/24", "dev", device);
    await sh("nsenter", `--net=/run/netns/${instance}`, "ping", "-c1", "-w10", "-I", "192.0.2.5", "10.20.0.2");

    assert.equal((await ask("10.20.0.200", 10)).trim(), "10.20.0.5");
    assert.equal(await ask("192.0.2.5", 1), "no answer");
  });

  test("DA-117 DA-126: a start with every option that may be given", async () => {
    bench = await DhcpBench.create({
      options: {
        ...{ isLocalResolv: true, isAuthoritative: true, isBroadcastReply: true, bridgeAliases: ["tapx*"], leaseMax: 10 },
        ...{ renewalSeconds: 100, rebindingSeconds: 200, leaseSeconds: 400 },
      },
    });
    const port = makePort(bench.subnets, ["10.20.0.5"]);

    assert.equal(await bench.apply([port]), "started");
    assert.equal((await runDhcpClient(await bench.plug(port.macAddress), "eth0"))?.leaseSeconds, 400);
  });

  test("DA-127: IPv6 subnets of any length, whatever their modes, stop nothing", async () => {
    const network = makeNetwork();
    const six = { ipVersion: 6, gatewayIp: null } as const;
    const subnets = [
      makeSubnet(network),
      ...[0, 1, 41, 63, 64, 81, 121, 127, 128].map((length, index) =>
        makeSubnet(network, { ...six, cidr: length < 2 ? `::/${length}` : `2001:db8:${index}::/${length}` }),
      ),
      makeSubnet(network, {
        ...six,
        cidr: "2001:db8:a::/80",
        ipv6AddressMode: "dhcpv6-stateless",
        ipv6RaMode: "dhcpv6-stateless",
      }),
      makeSubnet(network, { ...six, cidr: "2001:db8:b::/64", ipv6AddressMode: "slaac", ipv6RaMode: "slaac" }),
    ];
    bench = await DhcpBench.create({ network, subnets });
    const port = makePort(subnets, ["10.20.0.5"]);

    assert.equal(await bench.apply([port]), "started");
    assert.equal((await runDhcpClient(await bench.plug(port.macAddress), "eth0"))?.ipAddress, "10.20.0.5");
  });

  test("IPv4 subnets of any length that the API takes stop nothing either", async () => {
    const network = makeNetwork();
    const subnets = [
      makeSubnet(network),
      ...[8, 16, 29, 30, 31, 32].map((length) => makeSubnet(network, { cidr: `${length}.0.0.0/${length}`, gatewayIp: null })),
    ];
    bench = await DhcpBench.create({ network, subnets });

    assert.equal(await bench.apply([makePort(subnets, ["10.20.0.5"])]), "started");
  });

  test("DA-137: little is logged however many ports there are, and however odd their options", async () => {
    const lines: string[] = [];
    const note = (_fields: unknown, message: string): void => {
      lines.push(message);
    };
    const log = { ...silentLogger, debug: note, info: note, warn: note, error: note };
    bench = await DhcpBench.create({ log });
    const { subnets } = bench;
    const extraDhcpOpts: readonly ExtraDhcpOption[] = [
      { optName: "nonsense", optValue: "x", ipVersion: 4 },
      { optName: "dns-server", optValue: "2001:db8::1", ipVersion: 6 },
    ];
    await bench.apply([]);
    lines.length = 0;

    const ports = Array.from({ length: 200 }, (_, index) => makePort(subnets, [`10.20.0.${index + 10}`], { extraDhcpOpts }));
    await bench.apply(ports);

    const aboutFiles = lines.filter((line) => line !== "dnsmasq planned");
    assert.ok(aboutFiles.length >= 1 && aboutFiles.length <= 2, lines.join("; "));
  });

  test("what the real files hold is read without a complaint", async () => {
    const baseLogDirectory = await logDirectory();
    const network = makeNetwork();
    const subnets = [
      makeSubnet(network, {
        hostRoutes: Array.from({ length: 20 }, (_, n) => ({ destination: `172.16.${n}.1/32`, nexthop: "10.20.0.9" })),
      }),
      makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null, dnsNameservers: ["2001:db8::53"] }),
      ...Array.from({ length: 30 }, (_, n) => makeSubnet(network, { cidr: `10.1.${n}.0/24`, gatewayIp: null })),
    ];
    const extraDhcpOpts: readonly ExtraDhcpOption[] = [
      { optName: "67", optValue: "x\ny", ipVersion: 4 },
      { optName: "mtu", optValue: "many", ipVersion: 4 },
      { optName: "router", optValue: "10.20.0.1,x", ipVersion: 4 },
      { optName: "60", optValue: "1,2", ipVersion: 4 },
      { optName: "tag:ipxe,67", optValue: "http://x/#a", ipVersion: 4 },
      { optName: "client-id", optValue: 'a, "b" #c', ipVersion: 4 },
      { optName: "bootfile-url", optValue: "http://[2001:db8::1]/x", ipVersion: 6 },
    ];
    bench = await DhcpBench.create({
      ...{ network, subnets, dhcpAddresses: ["10.20.0.2", "2001:db8::2"], options: { baseLogDirectory } },
    });
    const ports = ["web", "a.b", "", "x_y"].map((dnsName, index) =>
      makePort(subnets, [`10.20.0.${index + 10}`, `2001:db8::1${index}`], { dnsName, extraDhcpOpts }),
    );

    await bench.apply(ports);
    const first = ports.slice(1);
    await bench.apply(first);
    const file = join(baseLogDirectory, network.id, "dhcp_dns_log");
    await waitFor(async () => /read \S+\/opts/.test(await readFile(file, "utf8")), {
      limitMs: 10_000,
      what: "dnsmasq to read its files",
    });

    const text = await readFile(file, "utf8");
    // Of what it says about a port that has one name in both families ("in dhcp-config directive") nothing is true of a line.
    const complaints = text
      .split("\n")
      .filter((line) => /at line|at \S+ line|bad |duplicate dhcp-host|failed|too long/.test(line));
    assert.deepEqual(complaints, []);
  });

  test("the dnsmasq of this machine is understood", async () => {
    const features = await readFeatures(processRunner());

    assert.match(features.version, /^\d+\.\d+$/);
    assert.equal(features.hasDhcpv6, true);
  });
});
