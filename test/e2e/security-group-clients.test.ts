// Security groups and address groups as people type them: by the openstack client, and by the command line of our own. The
// server here is only its API on a database in memory: nothing of it needs agents.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { netloom } from "../helpers/netloom-up.ts";
import { RealApi } from "../helpers/real-api.ts";
import { type Row, typedClients } from "../helpers/typed-clients.ts";

// The openstack client is there where the packages of root's tests are.
suite("security groups of clients", { skip: skipWithoutRoot }, () => {
  let api: RealApi;
  let url = "";
  before(async () => {
    api = await RealApi.open();
    url = await api.app.listen({ host: "127.0.0.1", port: 0 });
    await api.create("network", { name: "blue" });
  });
  after(() => api.close());

  const { openstack, json, own } = typedClients(() => url);

  test("the openstack client makes groups, rules and ports that have them", async () => {
    const [web, office] = await Promise.all([
      json("security", "group", "create", "--stateless", "--description", "of the shop", "web"),
      json("address", "group", "create", "--address", "192.0.2.0/24", "--address", "198.51.100.7", "office"),
    ]);
    assert.deepEqual([web["stateful"], web["description"], (web["rules"] as Row[]).length], [false, "of the shop", 2]);
    assert.deepEqual(office["addresses"], ["192.0.2.0/24", "198.51.100.7/32"]);
    const ssh = ["--protocol", "tcp", "--dst-port", "22:23", "--remote-address-group", "office"];
    const [rule] = await Promise.all([
      json("security", "group", "rule", "create", ...ssh, "web"),
      openstack("security", "group", "rule", "create", "--egress", "--ethertype", "IPv6", "--remote-group", "web", "web"),
      openstack("address", "group", "unset", "--address", "198.51.100.7", "office"),
    ]);
    assert.deepEqual([rule["port_range_min"], rule["port_range_max"], rule["remote_address_group_id"]], [22, 23, office["id"]]);
    const [secured, open, rules] = await Promise.all([
      json("port", "create", "--network", "blue", "--security-group", "web", "secured"),
      json("port", "create", "--network", "blue", "--no-security-group", "--disable-port-security", "open"),
      json<Row[]>("security", "group", "rule", "list", "web"),
    ]);
    assert.deepEqual(secured["security_group_ids"], [web["id"]]);
    assert.deepEqual([open["security_group_ids"], open["port_security_enabled"]], [[], false]);
    assert.equal(rules.length, 4);

    await Promise.all([
      assert.rejects(openstack("security", "group", "rule", "create", ...ssh, "web"), /already exists/),
      assert.rejects(openstack("security", "group", "delete", "web"), /in use/),
    ]);
    await openstack("port", "set", "--no-security-group", "--security-group", "default", "secured");
    await openstack("security", "group", "delete", "web");
    const groups = await json<Row[]>("security", "group", "list");
    assert.deepEqual(
      groups.map((group) => group["Name"]),
      ["default"],
    );
    const [port] = await api.list("ports", "?name=secured");
    assert.deepEqual(port?.["security_groups"], [groups[0]?.["ID"]]);
    const [blocks] = await api.list("address-groups", "", {}, "address_groups");
    assert.deepEqual(blocks?.["addresses"], ["192.0.2.0/24"]);
  });

  test("our own commands do the same, by names", async () => {
    const group = await own("security-group", "create", "lab", "--stateful", "false");
    const blocks = await own("address-group", "create", "desks", "--address", "10.9.0.0/16");
    assert.deepEqual([group["stateful"], blocks["addresses"]], [false, ["10.9.0.0/16"]]);
    const more = await own("address-group", "add-addresses", "desks", "10.8.0.1", "2001:db8::/32");
    assert.deepEqual(more["addresses"], ["10.8.0.1/32", "10.9.0.0/16", "2001:db8::/32"]);
    await own("address-group", "remove-addresses", "desks", "10.8.0.1");
    const ports = ["--protocol", "tcp", "--port-range-min", "80", "--port-range-max", "80"];
    const ingress = ["--direction", "ingress", ...ports];
    const rule = await own("security-group-rule", "create", "--security-group", "lab", ...ingress, "--remote-group", "lab");
    assert.deepEqual([rule["remote_group_id"], rule["port_range_min"]], [group["id"], 80]);
    assert.equal((await own<Row[]>("security-group-rule", "list", "--security-group", "lab")).length, 3);
    const port = await own("port", "create", "p", "--network", "blue", "--security-group", "lab");
    assert.deepEqual(port["security_groups"], [group["id"]]);
    const emptied = await own("port", "set", "p", "--security-group", "none");
    assert.deepEqual(emptied["security_groups"], []);
    const template = await own("default-security-group-rule", "create", ...ingress, "--remote-group", "PARENT");
    assert.equal((await own<Row[]>("default-security-group-rule", "list")).length, 5);
    await own("default-security-group-rule", "delete", String(template["id"]));
    const missing = await netloom(["security-group-rule", "show", "lab"], { NETLOOM_URL: url });
    assert.deepEqual([missing.exitCode, missing.stderr], [3, "netloom: no security_group_rule has the id lab\n"]);
    await own("security-group-rule", "delete", String(rule["id"]));
    assert.equal((await own("security-group", "set", "lab", "--name", "attic"))["name"], "attic");
    await own("security-group", "delete", "attic");
    await own("address-group", "delete", "desks");
  });
});
