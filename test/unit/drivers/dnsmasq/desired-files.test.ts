import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DesiredFilesBuilder, type DesiredFiles } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { defaultDnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import type { ExtraDhcpOption, Port, Subnet } from "../../../../src/model/network.ts";
import { makeDesired, makeDhcpPort, makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const subnets = [makeSubnet(network), makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null })];
const dhcpPort = makeDhcpPort(subnets, ["10.20.0.2", "10.30.0.2"]);

const build = (ports: readonly Port[], builder = new DesiredFilesBuilder(defaultDnsmasqOptions)): DesiredFiles =>
  builder.build(makeDesired({ network, subnets, ports }, dhcpPort));
const text = (files: DesiredFiles): string => JSON.stringify([files.hostLines, files.dnsLines, files.optsLines]);

describe("the files of a network", () => {
  test("DA-152: are byte for byte the same in whatever order ports, subnets, options and addresses come", () => {
    const six = makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null });
    const all = [...subnets, six, makeSubnet(network, { cidr: "10.40.0.0/24", enableDhcp: false })];
    const dual = makeDhcpPort(all, ["10.20.0.2", "10.30.0.2", "2001:db8::2"]);
    const other = makeDhcpPort(all, ["10.20.0.3", "10.30.0.3", "2001:db8::3"]);
    const extraDhcpOpts: readonly ExtraDhcpOption[] = [
      { optName: "mtu", optValue: "1400", ipVersion: 4 },
      { optName: "67", optValue: "a", ipVersion: 4 },
      { optName: "tag:ipxe,67", optValue: "b", ipVersion: 4 },
      { optName: "client-id", optValue: "ff:01", ipVersion: 4 },
      { optName: "dns-server", optValue: "[2001:db8::53]", ipVersion: 6 },
    ];
    const ports = [
      dual,
      other,
      ...Array.from({ length: 6 }, (_, index) =>
        makePort(all, [], {
          extraDhcpOpts: index % 2 === 0 ? extraDhcpOpts : [],
          fixedIps: [
            { subnetId: subnets[0]?.id ?? six.id, ipAddress: `10.20.0.${10 + index}` },
            { subnetId: subnets[1]?.id ?? six.id, ipAddress: `10.30.0.${10 + index}` },
            { subnetId: six.id, ipAddress: `2001:db8::a${index}` },
            { subnetId: six.id, ipAddress: `2001:db8::b${index}` },
          ],
        }),
      ),
    ];
    const build = (someSubnets: readonly Subnet[], somePorts: readonly Port[]): string => {
      const view = { network, subnets: someSubnets, ports: somePorts };
      return text(new DesiredFilesBuilder(defaultDnsmasqOptions).build({ ...makeDesired(view, dual), metadata }));
    };
    const metadata = { v4: true, v6: false, routedSubnetIds: new Set(subnets.map((one) => one.id)) };
    const expected = build(all, ports);
    const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> =>
      fc.shuffledSubarray([...items], { minLength: items.length });
    const shuffledPorts = shuffled(ports).chain((some) =>
      fc.tuple(
        ...some.map((port) =>
          fc
            .record({ options: shuffled(port.extraDhcpOpts), ips: shuffled(port.fixedIps) })
            .map(({ options, ips }): Port => ({ ...port, extraDhcpOpts: options, fixedIps: ips })),
        ),
      ),
    );

    fc.assert(
      fc.property(shuffledPorts, shuffled(all), (somePorts, someSubnets) => {
        assert.equal(build(someSubnets, somePorts), expected);
      }),
    );
  });

  test("give a disputed address to the newest claim, in whatever order they come", () => {
    const older = makePort(subnets, ["10.20.0.5", "10.30.0.5"], { revision: 1 });
    const newer = makePort(subnets, ["10.20.0.5"], { revision: 2 });

    for (const ports of [
      [older, newer],
      [newer, older],
    ]) {
      const lines = build(ports).hostLines;
      assert.equal(lines.filter((one) => one.endsWith(",10.20.0.5")).length, 1);
      assert.ok(lines.some((one) => one.startsWith(newer.macAddress) && one.endsWith(",10.20.0.5")));
      assert.ok(
        lines.some((one) => one.startsWith(older.macAddress) && one.endsWith(",10.30.0.5")),
        "its other address stays",
      );
    }
  });

  test("leave out a port that cannot be written, whole, and say why", () => {
    const good = makePort(subnets, ["10.20.0.5"]);
    const bad = makePort(subnets, ["10.20.0.6"], { dnsName: "a\nb" });

    const files = build([good, bad]);

    assert.equal(files.hostLines.length, 1);
    assert.equal(files.dnsLines.length, 1);
    assert.deepEqual(
      files.refused.map((one) => one.portId),
      [bad.id],
    );
    assert.match(files.refused[0]?.reason ?? "", /name/);
  });

  test("follow a subnet that changes, though the ports are the same objects", () => {
    const builder = new DesiredFilesBuilder(defaultDnsmasqOptions);
    const ports = [makePort(subnets, ["10.20.0.5"])];
    assert.equal(build(ports, builder).hostLines.length, 1);

    const closed = subnets.map((subnet) => ({ ...subnet, enableDhcp: false }));
    const files = builder.build(makeDesired({ network, subnets: closed, ports }, dhcpPort));

    assert.equal(files.hostLines.length, 0);
    assert.equal(files.dnsLines.length, 1);
  });

  test("DA-120: have names without a domain where neither the network nor the agent has one", () => {
    const options = { ...defaultDnsmasqOptions, dnsDomain: "" };
    const files = build([makePort(subnets, ["10.20.0.5"])], new DesiredFilesBuilder(options));

    assert.match(files.hostLines.join(), /,host-10-20-0-5,10\.20\.0\.5$/);
    assert.deepEqual(files.dnsLines, ["10.20.0.5\thost-10-20-0-5"]);
    assert.equal(files.domain, "");
    assert.doesNotMatch(files.optsLines.join(), /domain/);
  });

  test("have the agent's domain where the network's own is none that dnsmasq takes", () => {
    const odd = { ...network, dnsDomain: "a b" };
    const desired = makeDesired({ network: odd, subnets, ports: [makePort(subnets, ["10.20.0.5"])] }, dhcpPort);

    const files = new DesiredFilesBuilder(defaultDnsmasqOptions).build(desired);

    assert.equal(files.domain, "openstacklocal");
    assert.equal(files.hostLines.length, 1);
  });

  test("DA-150: leave a bad option out of a port that is served, and note it", () => {
    const extraDhcpOpts: readonly ExtraDhcpOption[] = [{ optName: "67", optValue: "x\ndhcp-script=/bin/evil", ipVersion: 4 }];

    const files = build([makePort(subnets, ["10.20.0.5"], { extraDhcpOpts })]);

    assert.equal(files.hostLines.length, 1);
    assert.doesNotMatch(text(files), /evil/);
    assert.equal(files.notes?.length, 1);
    assert.deepEqual(files.refused, []);
  });
});
