import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DesiredFilesBuilder } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { defaultDnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { isLeaseKept, ownersOf } from "../../../../src/drivers/dnsmasq/lease-owners.ts";
import { isTakenOverPort, seedLeases, unleased } from "../../../../src/drivers/dnsmasq/lease-seed.ts";
import { makeDesired, makeDhcpPort, makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null, ipv6AddressMode: "dhcpv6-stateful" } as const;
const subnets = [
  makeSubnet(network),
  makeSubnet(network, { cidr: "10.30.0.0/24", enableDhcp: false }),
  makeSubnet(network, six),
];
const [four = assert.fail(), off = assert.fail(), stateful = assert.fail()] = subnets;
const dual = makePort([four, stateful], ["10.20.0.5", "2001:db8::5"], { macAddress: "fa:16:3e:00:00:01" });
const plain = makePort([four, off], ["10.20.0.6", "10.30.0.6"], { macAddress: "fa:16:3e:00:00:02" });
const undhcp = makePort([off], ["10.30.0.7"], { macAddress: "fa:16:3e:00:00:03" });

function seed(
  previous: string | undefined,
  isTakenOver: boolean,
  { leaseSeconds = 120, isShared = false }: { readonly leaseSeconds?: number; readonly isShared?: boolean } = {},
): string | undefined {
  const dhcpPort = makeDhcpPort(subnets, ["10.20.0.2"]);
  const builder = new DesiredFilesBuilder({ ...defaultDnsmasqOptions, leaseSeconds });
  const { hostLines } = builder.build(makeDesired({ network, subnets, ports: [dhcpPort, dual, plain, undhcp] }, dhcpPort));
  const owners = ownersOf(hostLines);
  return seedLeases({ previous, isTakenOver, isShared, hostLines, isKept: (lease) => isLeaseKept(lease, owners, new Set()) });
}

describe("leases that a starting dnsmasq is given", () => {
  test("DA-129: taken over without a file: each IPv4 address with DHCP, without an end whatever the lease time is", () => {
    const expected = ["0 fa:16:3e:00:00:01 10.20.0.5 * *", "0 fa:16:3e:00:00:02 10.20.0.6 * *"];

    for (const leaseSeconds of [120, 86_400, -1]) {
      assert.deepEqual(seed(undefined, true, { leaseSeconds })?.trim().split("\n").toSorted(), expected);
    }
  });

  test("are none on a network that starts here: nobody can have one", () => {
    assert.equal(seed(undefined, false), undefined);
  });

  test("DA-130: are those of the last file whose address has not changed hands, with the end that they have", () => {
    const kept = [
      "1900000000 fa:16:3e:00:00:01 10.20.0.5 web ff:01",
      "duid 00:01:00:01:2a:2b:2c:2d:fa:16:3e:00:00:09",
      "1900000000 1234 2001:db8::5 web 00:03:00:01:fa:16:3e:00:00:01",
    ];
    const gone = [
      "1900000000 fa:16:3e:00:00:77 10.20.0.6 * *",
      "1900000000 fa:16:3e:00:00:03 10.30.0.7 * *",
      "1900000000 99 2001:db8::99 * 00:03:00:01:fa:16:3e:00:00:01",
      "half a li",
    ];

    for (const isTakenOver of [true, false]) {
      const lines = seed(`${[...gone, ...kept].join("\n")}\n`, isTakenOver)
        ?.trim()
        .split("\n");

      assert.deepEqual(lines, kept);
    }
  });

  test("on a network that others serve too are those of the last file, and one for everybody else", () => {
    const kept = "1900000000 fa:16:3e:00:00:01 10.20.0.5 web ff:01";

    assert.equal(seed(`${kept}\n`, false, { isShared: true }), `${kept}\n0 fa:16:3e:00:00:02 10.20.0.6 * *\n`);
    assert.equal(seed(undefined, false, { isShared: true })?.split("\n").length, 3);
  });

  test("are one for a client, for the address that it is given when it asks: of several the last", () => {
    const lines = [
      "fa:16:3e:00:00:01,a,10.20.0.5",
      "fa:16:3e:00:00:01,b,10.20.0.6",
      "fa:16:3e:00:00:01,tag:dhcpv6,[2001:db8::5]",
    ];

    assert.deepEqual(unleased(lines, []), [{ macAddress: "fa:16:3e:00:00:01", ipAddress: "10.20.0.6" }]);
  });

  test("are taken over when the DHCP port has had another life before", () => {
    const fresh = makeDhcpPort(subnets, ["10.20.0.2"]);

    assert.equal(isTakenOverPort(fresh), false);
    assert.equal(isTakenOverPort({ ...fresh, revision: 3 }), true);
  });
});
