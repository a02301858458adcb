import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DesiredFilesBuilder, type DesiredFiles } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { defaultDnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import type { Port } from "../../../../src/model/network.ts";
import { makeDesired, makeDhcpPort, makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const subnets = [makeSubnet(network), makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null })];
const dhcpPort = makeDhcpPort(subnets, ["10.20.0.2", "10.30.0.2"]);

const build = (ports: readonly Port[], builder = new DesiredFilesBuilder(defaultDnsmasqOptions)): DesiredFiles =>
  builder.build(makeDesired({ network, subnets, ports }, dhcpPort));
const text = (files: DesiredFiles): string => JSON.stringify([files.hostLines, files.dnsLines, files.optsLines]);

describe("the files of a network", () => {
  test("are byte for byte the same in whatever order its parts come", () => {
    const ports = Array.from({ length: 8 }, (_, index) =>
      makePort(subnets, [`10.20.0.${10 + index}`, `10.30.0.${10 + index}`], {
        extraDhcpOpts: index % 2 === 0 ? [{ optName: "mtu", optValue: "1400", ipVersion: 4 }] : [],
      }),
    );
    const expected = text(build(ports));

    fc.assert(
      fc.property(
        fc.shuffledSubarray(ports, { minLength: ports.length }),
        fc.shuffledSubarray([...subnets], { minLength: subnets.length }),
        (shuffledPorts, shuffledSubnets) => {
          const builder = new DesiredFilesBuilder(defaultDnsmasqOptions);
          const files = builder.build(makeDesired({ network, subnets: shuffledSubnets, ports: shuffledPorts }, dhcpPort));
          assert.equal(text(files), expected);
        },
      ),
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
});
