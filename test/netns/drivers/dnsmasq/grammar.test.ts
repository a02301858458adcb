// Whatever tenants write, the lines that the builders make of it are lines that the real dnsmasq understands.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { DesiredFilesBuilder } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { defaultDnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { isClientId } from "../../../../src/model/dhcp-option.ts";
import { findOptionByCode } from "../../../../src/model/dhcp-option-table.ts";
import type { ExtraDhcpOption, HostRoute } from "../../../../src/model/network.ts";
import { makeDesired, makeDhcpPort, makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import { createTestDirectory, skipWithoutRoot, type TestDirectory } from "../../../helpers/namespaces.ts";

const execute = promisify(execFile);

const names = ([4, 6] as const).flatMap((ipVersion) =>
  Array.from({ length: 256 }, (_, code) => findOptionByCode(ipVersion, code)?.name ?? String(code)),
);
const lookAlike = fc.stringMatching(/^[0-9a-fA-F:.,/[\] -]{1,40}$/);
const optionValue = fc.oneof(
  { weight: 4, arbitrary: lookAlike },
  fc.ipV4(),
  fc.array(fc.ipV4(), { minLength: 1, maxLength: 40 }).map((all) => all.join(",")),
  fc.ipV6(),
  fc.array(fc.ipV6(), { minLength: 1, maxLength: 8 }).map((all) => all.map((one) => `[${one}]`).join(",")),
  fc.array(fc.domain(), { minLength: 1, maxLength: 4 }).map((all) => all.join(",")),
  fc.integer({ min: -5, max: 2 ** 33 }).map(String),
  fc
    .integer({ min: 0, max: 99_999 })
    .chain((n) => fc.constantFrom("s", "m", "h", "d", "w", "b", "i").map((unit) => `${n}${unit}`)),
  fc.string({ maxLength: 260 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    '"',
    "#",
    " #x",
    "x\ndhcp-script=/bin/evil",
    "a\\",
    "1,,2",
    "::",
    "a::b",
    "XN--a.org",
    "xn--a",
    "_x",
    "-1",
    "a b",
  ),
);
const optionName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...names) },
  fc
    .tuple(fc.constantFrom("tag:ipxe,", "tag:!ipxe,", "tag:a,tag:b,", "option:", "option6:"), fc.constantFrom(...names))
    .map((two) => two.join("")),
  fc.string({ maxLength: 30 }),
);
const option: fc.Arbitrary<ExtraDhcpOption> = fc.record({
  optName: fc.oneof({ weight: 9, arbitrary: optionName }, fc.constantFrom("client-id", "61")),
  optValue: optionValue,
  ipVersion: fc.constantFrom<4 | 6>(4, 6),
});
const name = fc.oneof(
  fc.domain(),
  fc.stringMatching(/^[a-zA-Z0-9_.-]{1,30}$/),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "ignore", "infinite", "120", "5m", "1.2.3.4", "fa", "_srv", "set:x", "id:*", "xn--a", "10"),
);
const route: fc.Arbitrary<HostRoute> = fc.record({
  destination: fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 40 })).map(([address, length]) => `${address}/${length}`),
    fc.string(),
  ),
  nexthop: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
});
const tenant = fc.record({
  dnsDomain: fc.oneof({ weight: 3, arbitrary: fc.constantFrom("", "example.org.", "2.3.4") }, name),
  dnsNameservers: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { maxLength: 30 }),
  hostRoutes: fc.array(route, { maxLength: 60 }),
  cidrs: fc.array(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, length]) => `${address}/${length}`),
    { maxLength: 40 },
  ),
  ports: fc.array(fc.record({ dnsName: name, options: fc.array(option, { maxLength: 12 }) }), { minLength: 1, maxLength: 12 }),
});
type Tenant = typeof tenant extends fc.Arbitrary<infer T> ? T : never;

function linesOf(given: Tenant): {
  readonly host: readonly string[];
  readonly opts: readonly string[];
  readonly dns: readonly string[];
} {
  const network = makeNetwork({ dnsDomain: given.dnsDomain });
  const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null } as const;
  const { dnsNameservers, hostRoutes } = given;
  const subnets = [
    makeSubnet(network, { dnsNameservers, hostRoutes }),
    makeSubnet(network, { ...six, dnsNameservers, ipv6AddressMode: "dhcpv6-stateful", ipv6RaMode: "dhcpv6-stateful" }),
    ...given.cidrs.map((cidr) => makeSubnet(network, { cidr, enableDhcp: false })),
  ];
  const ports = given.ports.map(({ dnsName, options }, index) =>
    makePort(subnets, [`10.20.0.${10 + index}`, `2001:db8::${10 + index}`], { dnsName, extraDhcpOpts: options }),
  );
  const dhcpPort = makeDhcpPort(subnets, ["10.20.0.2", "2001:db8::2"]);
  const files = new DesiredFilesBuilder(defaultDnsmasqOptions).build(makeDesired({ network, subnets, ports }, dhcpPort));
  return { host: files.hostLines, opts: files.optsLines, dns: files.dnsLines };
}

describe("DA-150: what tenants write", { skip: skipWithoutRoot }, () => {
  let directory: TestDirectory;

  before(async () => {
    directory = await createTestDirectory();
  });
  after(async () => directory.remove());

  async function complaintOf(lines: readonly string[]): Promise<string | undefined> {
    const file = join(directory.path, "conf");
    await writeFile(file, lines.map((line) => `${line}\n`).join(""));
    try {
      await execute("dnsmasq", ["--test", `--conf-file=${file}`]);
      return undefined;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const at = Number(/at line (\d+)/.exec(text)?.[1]);
      return `${text}: ${JSON.stringify(lines[at - 1])}`;
    }
  }

  test("never makes a line that dnsmasq refuses", { timeout: 120_000 }, async () => {
    let optionLines = 0;

    await fc.assert(
      fc.asyncProperty(tenant, async (given) => {
        const { host, opts } = linesOf(given);
        optionLines += opts.filter((line) => line.startsWith("tag:port-")).length;
        assert.ok([...host, ...opts].every((line) => Buffer.byteLength(line) < 1024));
        const lines = [...host.map((line) => `dhcp-host=${line}`), ...opts.map((line) => `dhcp-option=${line}`)];
        assert.equal(await complaintOf(lines), undefined);
      }),
      { numRuns: 300 },
    );
    assert.ok(optionLines > 300, `hardly any option passed: ${optionLines}`);
  });

  test("is refused by the check itself where it is: dnsmasq reads these lines as the same parser would", async () => {
    for (const line of [
      "dhcp-option=option:router,x",
      "dhcp-option=option:nonsense,1",
      "dhcp-option=60,1,2",
      "dhcp-host=fa:16,_x",
    ]) {
      assert.match((await complaintOf([line])) ?? "", /at line 1/, line);
    }
  });

  test("every option of our table is one of dnsmasq's, by its name and its number", async () => {
    for (const [ipVersion, word] of [
      [4, "dhcp"],
      [6, "dhcp6"],
    ] as const) {
      const { stdout } = await execute("dnsmasq", ["--help", word]);
      const known = [...stdout.matchAll(/^\s*(\d+) (\S+)$/gm)].map(([, code, text]) => `${code} ${text}`);
      const ours = known
        .map((one) => findOptionByCode(ipVersion, Number(one.split(" ")[0])))
        .map((one) => `${one?.code} ${one?.name}`);

      assert.ok(known.length > 10);
      assert.deepEqual(ours, known);
    }
  });

  test("a client-id of any text goes in as the bytes that it is", async () => {
    for (const text of ["a,b", "a b", 'say "x"', "ff:zz", "#1 x"]) {
      const option: ExtraDhcpOption = { optName: "client-id", optValue: text, ipVersion: 4 };
      assert.ok(isClientId(option));
      const { host } = linesOf({
        dnsDomain: "",
        dnsNameservers: [],
        hostRoutes: [],
        cidrs: [],
        ports: [{ dnsName: "", options: [option] }],
      });

      assert.ok(
        host.some((line) =>
          line.includes(
            `,id:${Buffer.from(text)
              .toString("hex")
              .replace(/..(?=.)/g, "$&:")},`,
          ),
        ),
        host.join("\n"),
      );
      assert.equal(await complaintOf(host.map((line) => `dhcp-host=${line}`)), undefined);
    }
  });
});
