import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { z } from "zod";
import { networkResource } from "../../../../src/types/resources/networks.ts";
import { portResource } from "../../../../src/types/resources/ports.ts";
import { subnetResource } from "../../../../src/types/resources/subnets.ts";
import * as values from "../../../../src/types/resources/values.ts";

const canonical: readonly (readonly [string, z.ZodType, unknown, unknown])[] = [
  ["integer", values.integer(0), "4", 4],
  ["integer", values.integer(0), -0, 0],
  ["boolean", values.boolean, "TRUE", true],
  ["boolean", values.boolean, 1, true],
  ["boolean", values.boolean, "0", false],
  ["uuid", values.uuid, "11111111-AAAA-1111-1111-111111111111", "11111111-aaaa-1111-1111-111111111111"],
  ["MAC", values.macAddress, "FA-16-3E-00-00-01", "fa:16:3e:00:00:01"],
  ["MAC", values.macAddress, "fa16.3e00.0001", "fa:16:3e:00:00:01"],
  ["IP", values.ipAddress, "2001:DB8:0:0::0001", "2001:db8::1"],
  ["IP", values.ipAddress, "10.0.0.1", "10.0.0.1"],
  ["CIDR", values.cidr, "10.1.2.3/24", "10.1.2.0/24"],
  ["CIDR", values.cidr, "10.1.2.3/32", "10.1.2.3/32"],
  ["CIDR", values.cidr, "2001:DB8::FFFF/64", "2001:db8::/64"],
  ["address or CIDR", values.ipAddressOrCidr, "10.0.0.7", "10.0.0.7"],
  ["DNS name", values.dnsName, "WWW.Example.ORG.", "www.example.org."],
  ["DNS name", values.dnsName, "", ""],
  ["DNS host name", values.dnsHostname, "A.", "a"],
  ["DNS host name", values.dnsHostname, "web.Example.", "web.example"],
  ["DNS host name", values.dnsHostname, "", ""],
  ["one of", values.oneOf([4, 6]), "6", 6],
  ["object", values.jsonObject(100), null, {}],
  ["list", values.listOf(values.boolean, { maxItems: 2, nullIsEmpty: true }), null, []],
];

for (const [kind, schema, sent, expected] of canonical) {
  test(`${kind} ${JSON.stringify(sent)} becomes ${JSON.stringify(expected)}, and stays that`, () => {
    assert.deepEqual(schema.parse(sent), expected);
    assert.deepEqual(schema.parse(expected), expected);
  });
}

const refused: readonly (readonly [string, z.ZodType, unknown])[] = [
  ["integer", values.integer(0), 1.5],
  ["integer", values.integer(0), "1e3"],
  ["integer", values.integer(0), 1e99],
  ["integer", values.integer(0), -1],
  ["integer", values.integer(0), 2 ** 31],
  ["integer", values.integer(0), true],
  ["boolean", values.boolean, "yes"],
  ["boolean", values.boolean, 2],
  ["boolean", values.boolean, null],
  ["uuid", values.uuid, "11111111-1111-1111-1111-11111111111"],
  ["uuid", values.uuid, "11111111-1111-1111-1111-111111111111\n"],
  ["MAC", values.macAddress, "xx"],
  ["MAC", values.macAddress, "fa:16-3e:00:00:01"],
  ["MAC", values.macAddress, "00:00:00:00:00:00"],
  ["MAC", values.macAddress, "01:00:5e:00:00:01"],
  ["MAC", values.macAddress, "ff:ff:ff:ff:ff:ff"],
  ["IP", values.ipAddress, "10.0.0.01"],
  ["IP", values.ipAddress, "10.0.0.256"],
  ["IP", values.ipAddress, "10.0.0"],
  ["IP", values.ipAddress, "fe80::1%eth0"],
  ["IP", values.ipAddress, "10.0.0.1/24"],
  ["IP", values.ipAddress, "10.0.0.1\n"],
  ["CIDR", values.cidr, "10.0.0.0"],
  ["CIDR", values.cidr, "10.0.0.0/33"],
  ["CIDR", values.cidr, "10.0.0.0/255.0.0.0"],
  ["CIDR", values.cidr, "10.0.0.0/ 8"],
  ["CIDR", values.cidr, "10.0.0.0/8\n"],
  ["CIDR", values.cidr, "fd00::/129"],
  ["DNS name", values.dnsName, "a..b"],
  ["DNS host name", values.dnsHostname, "a.."],
  ["DNS host name", values.dnsHostname, "."],
  ["DNS name", values.dnsName, "-a"],
  ["DNS name", values.dnsName, "a_b"],
  ["DNS name", values.dnsName, "a\nb"],
  ["DNS name", values.dnsName, `${"a".repeat(64)}`],
  ["DNS name", values.dnsName, `${"abc.".repeat(70)}`],
  ["text", values.text({ maxLength: 3 }), "abcd"],
  ["text", values.text({ maxLength: 3 }), "\u0000"],
  ["text", values.text({ maxLength: 3 }), "a\n"],
  ["text", values.text({ maxLength: 3 }), "\u0085"],
  ["text", values.text({ maxLength: 3 }), "\ud800"],
  ["text", values.text({ maxLength: 3, notBlank: true }), "  "],
  ["text of several lines", values.text({ maxLength: 3, multiline: true }), "\u0000"],
  ["object", values.jsonObject(10), { a: "longer than ten" }],
  ["object", values.jsonObject(10), []],
  ["list", values.listOf(values.boolean, { maxItems: 2 }), [true, true, true]],
  ["list", values.listOf(values.boolean, { maxItems: 2 }), null],
  ["list", values.listOf(values.ipAddress, { maxItems: 9, uniqueBy: (ip) => ip }), ["::1", "0::1"]],
];

for (const [kind, schema, sent] of refused) {
  test(`${kind} ${JSON.stringify(sent)?.slice(0, 60)} is refused with one line that says why`, () => {
    const result = schema.safeParse(sent);

    assert.equal(result.success, false);
    assert.match(result.error?.issues[0]?.message ?? "", /^[^\u0000-\u001f]{5,200}$/);
  });
}

test("line breaks are part of a text for people", () => {
  assert.equal(values.text({ maxLength: 9, multiline: true }).parse("a\nb\tc"), "a\nb\tc");
});

describe("DA-150: DHCP options", () => {
  const { schema } = portResource.attributes["extra_dhcp_opts"] ?? assert.fail();
  const answer = (optName: unknown, optValue: unknown = "10.0.0.9", ipVersion: unknown = 4) =>
    schema.safeParse([{ opt_name: optName, opt_value: optValue, ip_version: ipVersion }]);

  test("take names, numbers and tags, and nothing that could end a line of a file", () => {
    for (const name of ["bootfile-name", "67", "tag:!ipxe,67", "option:ntp-server", "server-ip-address", "client-id"])
      assert.ok(answer(name).success, name);
    for (const name of ["", "a b", "a\nb", "a,b", "tag:x,", "$(id)", "a=b", "é", 67, null])
      assert.ok(!answer(name).success, String(name));
    for (const value of ["x\ny", "x\r", "\u0000", "   ", "v".repeat(256), 1, 'a"b'])
      assert.ok(!answer("67", value).success, String(value));
    assert.ok(answer("67", null).success);
  });

  test("are empty where a port is to be told nothing: router and classless-static-route", () => {
    for (const name of ["router", "3", "classless-static-route"]) assert.ok(answer(name, "").success, name);
    assert.ok(!answer("67", "").success);
    assert.ok(!answer("router", "", 6).success);
  });

  test("are refused with a reason when no server could read them", () => {
    const refused: readonly (readonly [name: string, value: string, ipVersion: 4 | 6, reason: RegExp])[] = [
      ["nonsense", "x", 4, /"nonsense" is not the name of an option of DHCPv4/],
      ["ntp-server", "time.example", 4, /"time.example" is not a value of "ntp-server": addresses/],
      ["mtu", "1280", 6, /"mtu" is not the name of an option of DHCPv6/],
      ["option6:dns-server", "2001:db8::1", 4, /not an option of IPv4/],
      ["dns-server", "10.0.0.9", 6, /is not a value of/],
      ["54", "10.0.0.9", 4, /option 54 of DHCPv4 is not for a port to set/],
    ];
    for (const [name, value, ipVersion, reason] of refused) {
      assert.match(answer(name, value, ipVersion).error?.issues[0]?.message ?? "", reason, name);
      assert.ok(answer(name, null, ipVersion).success, "what is there already can be removed");
    }
    assert.ok(answer("option6:dns-server", "2001:db8::1", 6).success);
    assert.ok(answer("nis+-domain", "x.org", 6).success);
  });
});

test("a fixed IP names a subnet or an address, and no address twice", () => {
  const { schema } = portResource.attributes["fixed_ips"] ?? assert.fail();
  const accepts = (value: unknown) => schema.safeParse(value).success;

  assert.ok(accepts([]));
  assert.ok(accepts([{ ip_address: "10.0.0.1" }, { ip_address: "10.0.0.2" }]));
  assert.ok(!accepts([{}]));
  assert.ok(!accepts([{ ip_address: "::1" }, { ip_address: "0::1" }]));
  assert.ok(!accepts([{ ip_address: "10.0.0.1", gateway: true }]));
  assert.ok(!accepts(Array.from({ length: 101 }, (_unused, index) => ({ ip_address: `10.0.0.${index}` }))));
});

test("whatever is sent, an attribute either refuses it or makes it a value that it takes unchanged", () => {
  const schemas = [networkResource, subnetResource, portResource]
    .flatMap(({ attributes }) => Object.entries(attributes))
    .filter(([, attribute]) => attribute.post || attribute.put);
  const sent = fc.oneof(fc.jsonValue(), fc.ipV4(), fc.ipV6(), fc.uuid(), fc.domain(), fc.string({ unit: "binary" }));

  fc.assert(
    fc.property(fc.constantFrom(...schemas), sent, ([name, { schema }], value) => {
      const first = schema.safeParse(value);
      if (first.success) assert.deepEqual(schema.parse(first.data), first.data, name);
    }),
    { numRuns: 300 },
  );
});
