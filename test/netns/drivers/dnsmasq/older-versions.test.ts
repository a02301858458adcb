// The same agent with a dnsmasq that can do less. The one installed plays the older ones: it is only told less.
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { parseFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const says = (version: string): string =>
  `Dnsmasq version ${version}  Copyright\nCompile time options: IPv6 GNU-getopt DBus DHCP DHCPv6 TFTP inotify\n`;

describe("an older dnsmasq", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench | undefined;

  afterEach(async () => {
    await bench?.close();
    bench = undefined;
  });

  for (const [version, added, gone] of [
    ["2.90", "added", "changed"],
    ["2.87", "reloaded", "reloaded"],
    ["2.86", "restarted", "restarted"],
    ["2.80", "reloaded", "reloaded"],
    ["2.72", "reloaded", "reloaded"],
  ] as const) {
    test(`${version}: ports and their names are ${added}, and ${gone} when one goes`, async () => {
      bench = await DhcpBench.create({ features: parseFeatures(says(version)) });
      const [web, db] = [
        makePort(bench.subnets, ["10.20.0.5"], { dnsName: "web" }),
        makePort(bench.subnets, ["10.20.0.6"], { dnsName: "db" }),
      ];
      assert.equal(await bench.apply([web]), "started");

      assert.equal(await bench.apply([web, db]), added);

      const instance = await bench.plug(db.macAddress);
      assert.equal((await runDhcpClient(instance, "eth0", { isApplied: true }))?.ipAddress, "10.20.0.6");
      const find = async (name: string): Promise<string> =>
        (
          await sh("nsenter", `--net=/run/netns/${instance}`, "dig", "+short", "+time=1", "+tries=1", name, "@10.20.0.2")
        ).trim();
      await waitFor(async () => (await find("db.openstacklocal")) === "10.20.0.6", { limitMs: 10_000, what: "the name" });
      assert.equal(await bench.apply([db]), gone);
      await waitFor(async () => (await find("web.openstacklocal")) === "", { limitMs: 10_000, what: "the other name to go" });
      assert.equal(await bench.apply([db]), "unchanged");
    });
  }
});
