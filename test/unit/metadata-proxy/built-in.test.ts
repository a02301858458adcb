import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findInstance } from "../../../src/metadata-proxy/instance.ts";
import { type Answer, answerBuiltIn } from "../../../src/metadata-proxy/built-in/answer.ts";
import type { Port, Subnet } from "../../../src/model/network.ts";
import { makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const facts = { dnsDomain: "example.org", availabilityZone: "zone-1" };
const network = makeNetwork();
const subnet = makeSubnet(network);

function answer(path: string, port: Partial<Port> = {}, subnets: readonly Subnet[] = [subnet], method = "GET"): Answer {
  const addresses = subnets.map(({ ipVersion }, index) => (ipVersion === 4 ? `10.20.${index}.9` : `2001:db8:${index}::9`));
  const made = makePort(subnets, addresses, { deviceId: "i-1", macAddress: "fa:16:3e:12:34:56", ...port });
  const instance = findInstance([makeView(network, subnets, [made])], addresses[0] ?? "");
  assert.ok(instance);
  return answerBuiltIn(instance, facts, method, path);
}
const text = (path: string, ...more: [Partial<Port>?, (readonly Subnet[])?]): string => answer(path, ...more).body;
const networkTypes = (subnets: readonly Subnet[]): readonly string[] => {
  const data = JSON.parse(text("/openstack/latest/network_data.json", {}, subnets)) as { networks: { type: string }[] };
  return data.networks.map(({ type }) => type);
};

describe("built-in metadata", () => {
  test("the EC2 tree can be walked by its own listings to leaves that are all there", () => {
    const walk = (path: string): readonly string[] =>
      text(path)
        .split("\n")
        .flatMap((name) => (name.endsWith("/") ? walk(`${path}${name}`) : [`${path}${name}`]));

    const leaves = walk("/latest/");

    assert.ok(leaves.includes("/latest/meta-data/network/interfaces/macs/fa:16:3e:12:34:56/local-ipv4s"));
    for (const leaf of leaves) assert.equal(answer(leaf).status, 200, leaf);
  });

  test("names are those of DHCP: the port's own, else from its address; the network's domain, else the agent's", () => {
    assert.equal(text("/latest/meta-data/hostname"), "host-10-20-0-9.example.org");
    assert.equal(text("/latest/meta-data/local-hostname", { dnsName: "Web-1" }), "web-1.example.org");
    assert.equal(text("/latest/meta-data/hostname", { dnsName: "web-1.example.org." }), "web-1.example.org");
  });

  test("a version shows what it had, and an unknown one or a path beyond a leaf is 404", () => {
    assert.deepEqual(text("/openstack/2012-08-10").split("\n"), ["meta_data.json"]);
    assert.ok(text("/openstack/2018-08-27/").includes("vendor_data2.json"));
    assert.equal(JSON.parse(text("/openstack/2012-08-10/meta_data.json")).random_seed, undefined);
    for (const path of ["/2001-01-01/meta-data", "/openstack/1999-01-01", "/latest/meta-data/hostname/x", "/latest/__proto__"])
      assert.equal(answer(path).status, 404, path);
  });

  test("slashes, queries, absolute targets and escapes are read as servers do; a broken escape is 404", () => {
    for (const path of [
      "//latest//meta-data/instance-id/",
      "/latest/meta-data/instance%2Did?x=1",
      "http://x/latest/meta-data/instance-id",
    ])
      assert.equal(text(path), "i-1", path);
    assert.equal(answer("/latest/%zz").status, 404);
  });

  test("every boot gets another seed", () => {
    const seed = (): string => JSON.parse(text("/openstack/latest/meta_data.json")).random_seed;

    assert.equal(Buffer.from(seed(), "base64").length, 512);
    assert.notEqual(seed(), seed());
  });

  test("only reading is allowed", () => {
    assert.equal(answer("/latest/meta-data/", {}, [subnet], "POST").status, 405);
    assert.equal(answer("/latest/meta-data/", {}, [subnet], "HEAD").status, 200);
  });

  test("network data tell how each subnet gives its addresses", () => {
    const six = (ipv6AddressMode: Subnet["ipv6AddressMode"], enableDhcp = true): Subnet =>
      makeSubnet(network, { ipVersion: 6, cidr: "2001:db8::/64", gatewayIp: "2001:db8::1", ipv6AddressMode, enableDhcp });

    assert.deepEqual(networkTypes([subnet, makeSubnet(network, { enableDhcp: false })]), ["ipv4_dhcp", "ipv4"]);
    assert.deepEqual(
      networkTypes([six("slaac"), six("dhcpv6-stateless"), six("dhcpv6-stateful"), six(null), six(null, false)]),
      ["ipv6_slaac", "ipv6_dhcpv6-stateless", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateful", "ipv6"],
    );
  });

  test("a static subnet brings mask, routes and resolvers", () => {
    const fixed = makeSubnet(network, {
      cidr: "10.20.0.0/22",
      enableDhcp: false,
      dnsNameservers: ["192.0.2.1"],
      hostRoutes: [{ destination: "198.51.100.0/25", nexthop: "10.20.0.3" }],
    });

    const data = JSON.parse(text("/openstack/latest/network_data.json", {}, [fixed]));

    assert.deepEqual(data.services, [{ type: "dns", address: "192.0.2.1" }]);
    assert.equal(data.networks[0].netmask, "255.255.252.0");
    assert.deepEqual(data.networks[0].routes, [
      { network: "0.0.0.0", netmask: "0.0.0.0", gateway: "10.20.0.1" },
      { network: "198.51.100.0", netmask: "255.255.255.128", gateway: "10.20.0.3" },
    ]);
    assert.equal(data.links[0].ethernet_mac_address, "fa:16:3e:12:34:56");
    assert.equal(data.links[0].id, data.networks[0].link);
  });

  test("a resolver of 0.0.0.0 means none", () => {
    const none = makeSubnet(network, { enableDhcp: false, dnsNameservers: ["0.0.0.0"] });

    assert.deepEqual(JSON.parse(text("/openstack/latest/network_data.json", {}, [none])).services, []);
  });
});
