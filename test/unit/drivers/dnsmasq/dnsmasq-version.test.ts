import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DnsmasqFeatures, parseFeatures, readFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { DesiredFilesBuilder } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { defaultDnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { makeDesired, makeDhcpPort, makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const full =
  "IPv6 GNU-getopt DBus no-UBus i18n IDN2 DHCP DHCPv6 no-Lua TFTP conntrack ipset nftset auth DNSSEC inotify dumpfile";
const says = (version: string, options = full): string =>
  `Dnsmasq version ${version}  Copyright (c) 2000-2024 Simon Kelley\nCompile time options: ${options}\n\nThis software comes with …\n`;

type Gates = Omit<DnsmasqFeatures, "version" | "warnings">;
const all: Gates = {
  hasDeltaDirectory: true,
  hasHostTags: true,
  hasLiveDnsDirectory: true,
  isReloadSafe: true,
  hasDbus: true,
  hasDhcpv6: true,
};

const table: readonly (readonly [text: string, version: string, differs: Partial<Gates>, warnings: RegExp | undefined])[] = [
  [says("2.90"), "2.90", {}, undefined],
  [says("2.92"), "2.92", {}, undefined],
  [says("3.0"), "3.0", {}, undefined],
  [says("2.100"), "2.100", {}, undefined],
  [says("2.88"), "2.88", {}, undefined],
  [says("2.87"), "2.87", { hasLiveDnsDirectory: false }, undefined],
  [says("2.86"), "2.86", { hasLiveDnsDirectory: false, isReloadSafe: false }, /2\.86 dies/],
  [says("2.86rc3"), "2.86", { hasLiveDnsDirectory: false, isReloadSafe: false }, /2\.86 dies/],
  [says("2.85"), "2.85", { hasLiveDnsDirectory: false }, undefined],
  [says("2.81"), "2.81", { hasLiveDnsDirectory: false }, undefined],
  [says("2.80-2ubuntu1"), "2.80", { hasLiveDnsDirectory: false, hasHostTags: false }, undefined],
  [says("2.73"), "2.73", { hasLiveDnsDirectory: false, hasHostTags: false }, undefined],
  [
    says("2.72"),
    "2.72",
    { hasLiveDnsDirectory: false, hasHostTags: false, hasDeltaDirectory: false },
    /every new port is a reload/,
  ],
  [
    says("2.9"),
    "2.9",
    { hasLiveDnsDirectory: false, hasHostTags: false, hasDeltaDirectory: false },
    /every new port is a reload/,
  ],
  [says("2.90", full.replace(" DBus", " no-DBus")), "2.90", { hasDbus: false }, undefined],
  [
    says("2.90", full.replace(" inotify", " no-inotify")),
    "2.90",
    { hasDeltaDirectory: false, hasLiveDnsDirectory: false },
    /every new port is a reload/,
  ],
  [says("2.90", full.replace(" DHCPv6", " no-DHCPv6")), "2.90", { hasDhcpv6: false }, /without DHCPv6/],
  [says("UNKNOWN"), "unknown", {}, /does not say which version/],
];

describe("what dnsmasq says of itself", () => {
  for (const [text, version, differs, warning] of table) {
    test(`${version} with ${JSON.stringify(differs)}`, () => {
      const { version: found, warnings, ...gates } = parseFeatures(text);

      assert.equal(found, version);
      assert.deepEqual(gates, { ...all, ...differs });
      if (warning === undefined) assert.deepEqual(warnings, []);
      else assert.match(warnings.join(), warning);
    });
  }

  test("is asked once, by a command; one that fails is told", async () => {
    const asked: (readonly string[])[] = [];
    const answer = { exitCode: 0, stdout: says("2.86"), stderr: "" };
    const runner = {
      run: (argv: readonly string[]) => {
        asked.push(argv);
        return Promise.resolve(answer);
      },
    };

    assert.equal((await readFeatures(runner)).isReloadSafe, false);
    assert.deepEqual(asked, [["dnsmasq", "--version"]]);
    const broken = { run: () => Promise.resolve({ ...answer, exitCode: 127, stderr: "no such library" }) };
    await assert.rejects(readFeatures(broken), /no such library/);
  });

  test("decides whether host lines carry a tag of their own", () => {
    const network = makeNetwork();
    const subnets = [makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null })];
    const desired = makeDesired(
      { network, subnets, ports: [makePort(subnets, ["2001:db8::5"])] },
      makeDhcpPort(subnets, ["2001:db8::2"]),
    );
    const linesFor = (version: string): string =>
      new DesiredFilesBuilder(defaultDnsmasqOptions, parseFeatures(says(version))).build(desired).hostLines.join();

    assert.match(linesFor("2.81"), /,tag:dhcpv6,/);
    assert.doesNotMatch(linesFor("2.80"), /tag:/);
  });
});
