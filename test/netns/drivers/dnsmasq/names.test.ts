// Names of ports, asked for from inside the network as an instance would.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { overwriteLinesSync } from "../../../../src/linux/atomic-file.ts";
import { kill } from "../../../helpers/children.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { randomMac, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const ask = `
const { Resolver } = require("node:dns/promises");
const resolver = new Resolver({ timeout: 1000, tries: 4 });
resolver.setServers(["10.20.0.2"]);
const [kind, name] = process.argv.slice(1);
(kind === "A" ? resolver.resolve4(name) : resolver.reverse(name)).then(
  (found) => console.log(JSON.stringify(found)),
  (error) => console.log(JSON.stringify(error.code)),
);
`;

describe("names in the network's DNS", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;
  let instance: string;

  const resolve = async (kind: "A" | "PTR", name: string): Promise<unknown> =>
    JSON.parse(await sh("nsenter", `--net=/run/netns/${instance}`, process.execPath, "-e", ask, kind, name));
  const resolvesTo = async (kind: "A" | "PTR", name: string, expected: unknown): Promise<void> => {
    const wanted = JSON.stringify(expected);
    await waitFor(async () => JSON.stringify(await resolve(kind, name)) === wanted, {
      limitMs: 10_000,
      what: `${name} → ${wanted}`,
    });
  };

  before(async () => {
    bench = await DhcpBench.create();
    await bench.apply([]);
    instance = await bench.plug(randomMac());
    await sh("ip", "-n", instance, "addr", "add", "10.20.0.200/24", "dev", "eth0");
  });
  after(async () => bench.close());

  test("come and go with their ports, also those of ports that are added without a reload", async () => {
    const [web, db] = [
      makePort(bench.subnets, ["10.20.0.5"], { dnsName: "web" }),
      makePort(bench.subnets, ["10.20.0.6"], { dnsName: "db" }),
    ];

    assert.equal(await bench.apply([web]), "added");
    await resolvesTo("A", "web.openstacklocal", ["10.20.0.5"]);
    assert.equal(await bench.apply([web, db]), "added");
    await resolvesTo("A", "db", ["10.20.0.6"]);
    assert.deepEqual(await resolve("A", "web"), ["10.20.0.5"], "the earlier one is still there");
    await resolvesTo("PTR", "10.20.0.6", ["db.openstacklocal"]);

    assert.equal(await bench.apply([db]), "changed");
    // With nobody to forward to, what it does not know is refused.
    await resolvesTo("A", "web.openstacklocal", "EREFUSED");
    assert.deepEqual(await resolve("A", "db"), ["10.20.0.6"]);
  });

  test("that are overwritten while dnsmasq reads them are right in the end, and none of the old ones is left", async () => {
    const file = bench.file("dns.d/b0");
    const texts = ["old", "new"].map((word) =>
      Array.from({ length: 60 }, (_, index) => `10.20.0.${index + 10}\t${word}${index}.openstacklocal\n`).join(""),
    );
    const [oldText = "", newText = ""] = texts;
    const pid = await bench.pid();

    for (let round = 0; round < 500; round += 1) {
      overwriteLinesSync(file, oldText);
      // Also a signal makes it read, at any moment of the next write.
      if (round % 10 === 0) kill(pid, "SIGHUP");
      overwriteLinesSync(file, newText);
    }

    for (const index of [0, 29, 59]) {
      await resolvesTo("A", `new${index}.openstacklocal`, [`10.20.0.${index + 10}`]);
      assert.deepEqual(await resolve("A", `old${index}.openstacklocal`), "EREFUSED");
    }
    await resolvesTo("PTR", "10.20.0.69", ["new59.openstacklocal"]);
  });
});
