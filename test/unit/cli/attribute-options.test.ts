import assert from "node:assert/strict";
import { test } from "node:test";
import { attributeOptions } from "../../../src/cli/attribute-options.ts";
import { type AttributeOption, attributeValue, placeholder } from "../../../src/cli/attribute-values.ts";
import { floatingIpResource } from "../../../src/types/resources/floating-ips.ts";
import { addressGroupResource } from "../../../src/types/resources/address-groups.ts";
import { networkResource } from "../../../src/types/resources/networks.ts";
import { portForwardingResource } from "../../../src/types/resources/port-forwardings.ts";
import { portResource } from "../../../src/types/resources/ports.ts";
import { routerResource } from "../../../src/types/resources/routers.ts";
import {
  defaultSecurityGroupRuleResource,
  securityGroupRuleResource,
} from "../../../src/types/resources/security-group-rules.ts";
import { securityGroupResource } from "../../../src/types/resources/security-groups.ts";
import { subnetResource } from "../../../src/types/resources/subnets.ts";

const blue = "01930000-0000-7000-8000-000000000001";
const resolve = async (kind: string, name: string): Promise<string> => (name === "blue" ? blue : `${kind}:${name}`);

function option(options: readonly AttributeOption[], flag: string): AttributeOption {
  const found = options.find((one) => one.flag === flag);
  assert.ok(found, `no option --${flag} among ${options.map((one) => one.flag).join(" ")}`);
  return found;
}

test("every attribute that POST takes has an option, under its first name only", () => {
  const kinds = [
    ...[networkResource, subnetResource, portResource, routerResource, floatingIpResource, portForwardingResource],
    ...[securityGroupResource, securityGroupRuleResource, defaultSecurityGroupRuleResource, addressGroupResource],
  ];
  for (const resource of kinds) {
    const expected = Object.entries(resource.attributes).filter(([, one]) => one.post && one.aliasOf === undefined);

    const options = attributeOptions(resource, "post");

    assert.deepEqual(
      options.map((one) => one.attribute),
      expected.map(([name]) => name),
    );
    assert.equal(new Set(options.map((one) => one.flag)).size, options.length, "two attributes share a flag");
  }
});

test("a port forwarding names its port by --port, and the port number inside by --internal-port", async () => {
  const options = attributeOptions(portForwardingResource, "post");

  assert.equal(option(options, "port").attribute, "internal_port_id");
  assert.equal(await attributeValue(option(options, "port"), "web", resolve), "port:web");
  assert.equal(await attributeValue(option(options, "internal-port"), "8080", resolve), 8080);
  assert.equal(option(attributeOptions(floatingIpResource, "post"), "network").isRequired, true);
});

test("security groups are given by name, at the other end of a rule too", async () => {
  const rule = attributeOptions(securityGroupRuleResource, "post");
  assert.equal(option(rule, "security-group").attribute, "security_group_id");
  assert.equal(await attributeValue(option(rule, "remote-group"), "web", resolve), "security-group:web");
  assert.equal(await attributeValue(option(rule, "remote-address-group"), "office", resolve), "address-group:office");
  const template = attributeOptions(defaultSecurityGroupRuleResource, "post");
  assert.equal(await attributeValue(option(template, "remote-group"), "PARENT", resolve), "PARENT");
  const port = option(attributeOptions(portResource, "post"), "security-group");
  assert.deepEqual(await attributeValue(port, ["web", "db"], resolve), ["security-group:web", "security-group:db"]);
  assert.deepEqual(await attributeValue(port, ["none"], resolve), []);
  assert.ok(option(attributeOptions(addressGroupResource, "post"), "address").isList);
});

test("names of options have dashes, and lists are named for one item", () => {
  const flags = attributeOptions(portResource, "post").map((one) => one.flag);

  for (const flag of ["network", "fixed-ip", "binding-host-id", "extra-dhcp-opt", "admin-state-up"]) {
    assert.ok(flags.includes(flag), `--${flag} is missing`);
  }
  assert.ok(!flags.includes("status"), "a read-only attribute has an option");
});

test("a name becomes an id where the attribute refers to another object", async () => {
  const network = option(attributeOptions(subnetResource, "post"), "network");

  assert.equal(await attributeValue(network, "blue", resolve), blue);
  assert.equal(network.isRequired, true);
});

test("key=value pairs become a record, with names of subnets resolved", async () => {
  const fixedIp = option(attributeOptions(portResource, "post"), "fixed-ip");

  const value = await attributeValue(fixedIp, ["subnet=blue,ip-address=10.0.0.5", "ip_address=10.0.0.6"], resolve);

  assert.deepEqual(value, [{ subnet_id: blue, ip_address: "10.0.0.5" }, { ip_address: "10.0.0.6" }]);
  assert.match(placeholder(fixedIp), /^subnet=…,ip-address=…/);
});

test("a value of a record may hold commas and equal signs itself", async () => {
  const dhcp = option(attributeOptions(portResource, "post"), "extra-dhcp-opt");

  const value = await attributeValue(dhcp, ["opt-name=server,opt-value=192.0.2.1,192.0.2.2,x=y,ip-version=4"], resolve);

  assert.deepEqual(value, [{ opt_name: "server", opt_value: "192.0.2.1,192.0.2.2,x=y", ip_version: 4 }]);
});

test("none empties a list and unsets what may be null", async () => {
  const options = attributeOptions(subnetResource, "put");

  assert.deepEqual(await attributeValue(option(options, "dns-nameserver"), ["none"], resolve), []);
  assert.equal(await attributeValue(option(options, "gateway-ip"), "none", resolve), null);
});

test("numbers, switches and objects are refused when they are something else", async () => {
  const network = attributeOptions(networkResource, "post");
  const port = attributeOptions(portResource, "post");

  assert.equal(await attributeValue(option(network, "mtu"), "1450", resolve), 1450);
  assert.equal(await attributeValue(option(network, "shared"), "false", resolve), false);
  await assert.rejects(attributeValue(option(network, "mtu"), "big", resolve), { exitCode: 2 });
  await assert.rejects(attributeValue(option(network, "shared"), "maybe", resolve), { exitCode: 2 });
  await assert.rejects(attributeValue(option(port, "binding-profile"), "{", resolve), { exitCode: 2 });
  await assert.rejects(attributeValue(option(port, "fixed-ip"), ["10.0.0.5"], resolve), { exitCode: 2 });
});
