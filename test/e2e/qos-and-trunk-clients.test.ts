// QoS policies, trunks, helpers of routers and bindings of ports as people type them: by the openstack client, and by the command
// line of our own. The server here is only its API on a database in memory: nothing of it needs agents.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { RealApi } from "../helpers/real-api.ts";
import { type Row, typedClients } from "../helpers/typed-clients.ts";

// The openstack client is there where the packages of root's tests are.
suite("QoS and trunks of clients", { skip: skipWithoutRoot }, () => {
  let api: RealApi;
  let url = "";
  before(async () => {
    api = await RealApi.open();
    url = await api.app.listen({ host: "127.0.0.1", port: 0 });
    const network = await api.create("network", { name: "blue" });
    for (const name of ["parent", "one", "two", "three"]) await api.create("port", { network_id: network.id, name });
    await api.create("router", { name: "edge" });
  });
  after(() => api.close());

  const { openstack, json, own } = typedClients(() => url);

  // Each command of this client takes a second and more: only what is different for it.
  test("the openstack client makes policies with rules, and a network that has one", async () => {
    const policy = await json("network", "qos", "policy", "create", "--share", "slow");
    assert.deepEqual([policy["name"], policy["shared"], policy["rules"]], ["slow", true, []]);
    const words = ["--type", "bandwidth-limit", "--max-kbps", "1000", "--max-burst-kbits", "100", "--ingress"];
    const least = ["--type", "minimum-packet-rate", "--min-kpps", "10", "--any"];
    const [limit, floor, network] = await Promise.all([
      json("network", "qos", "rule", "create", ...words, "slow"),
      json("network", "qos", "rule", "create", ...least, "slow"),
      json("network", "create", "--qos-policy", "slow", "limited"),
    ]);
    assert.deepEqual([limit["max_kbps"], limit["max_burst_kbps"], limit["direction"]], [1000, 100, "ingress"]);
    assert.deepEqual([floor["min_kpps"], floor["direction"]], [10, "any"]);
    assert.equal(network["qos_policy_id"], policy["id"]);
    await openstack("network", "qos", "rule", "set", "--max-kbps", "2000", "slow", String(limit["id"]));
    const [rules] = await Promise.all([
      json<Row[]>("network", "qos", "rule", "list", "slow"),
      assert.rejects(openstack("network", "qos", "policy", "delete", "slow"), /is used by/),
    ]);
    assert.deepEqual(
      rules.map((rule) => [rule["Type"], rule["Max Kbps"]]).toSorted((one, other) => String(one).localeCompare(String(other))),
      [
        ["bandwidth_limit", 2000],
        ["minimum_packet_rate", ""],
      ],
    );
    await openstack("network", "qos", "rule", "delete", "slow", String(limit["id"]));
  });

  test("the openstack client makes trunks and helpers", async () => {
    const subport = (name: string, id: number) => `port=${name},segmentation-type=vlan,segmentation-id=${id}`;
    const words = ["--helper", "tftp", "--protocol", "udp", "--port", "69"];
    const [trunk, helper] = await Promise.all([
      json("network", "trunk", "create", "--parent-port", "parent", "--subport", subport("one", 101), "uplink"),
      json("network", "l3", "conntrack", "helper", "create", ...words, "edge"),
    ]);
    assert.deepEqual([trunk["status"], (trunk["sub_ports"] as Row[]).length], ["DOWN", 1]);
    assert.deepEqual([helper["helper"], helper["port"]], ["tftp", 69]);
    await Promise.all([
      openstack("network", "trunk", "set", "--subport", subport("two", 102), "uplink"),
      openstack("network", "l3", "conntrack", "helper", "delete", "edge", String(helper["id"])),
    ]);
    const subports = await json<Row[]>("network", "subport", "list", "--trunk", "uplink");
    assert.deepEqual(
      subports.map((row) => row["Segmentation ID"]),
      [101, 102],
    );
    await openstack("network", "trunk", "unset", "--subport", "two", "uplink");
    await openstack("network", "trunk", "delete", "uplink");
    assert.deepEqual(await api.list("trunks"), []);
  });

  test("our own commands do the same, by names", async () => {
    const policy = await own("qos-policy", "create", "fast");
    const limit = await own("qos-policy", "bandwidth-limit-rule", "create", "fast", "--max-kbps", "5000");
    assert.deepEqual([limit["max_kbps"], limit["direction"]], [5000, "egress"]);
    const id = String(limit["id"]);
    const changed = await own("qos-policy", "bandwidth-limit-rule", "set", "fast", id, "--max-kbps", "6000");
    assert.equal(changed["max_kbps"], 6000);
    assert.equal((await own("port", "set", "one", "--qos-policy", "fast"))["qos_policy_id"], policy["id"]);
    const subport = "port=one,segmentation-type=vlan,segmentation-id=7";
    const trunk = await own("trunk", "create", "uplink", "--port", "parent", "--sub-port", subport);
    assert.equal((trunk["sub_ports"] as Row[]).length, 1);
    assert.equal(((await own("trunk", "add-subports", "uplink", "two=8"))["sub_ports"] as Row[]).length, 2);
    assert.equal(((await own("trunk", "remove-subports", "uplink", "one", "two"))["sub_ports"] as Row[]).length, 0);
    const words = ["--protocol", "tcp", "--port", "21", "--helper", "ftp"];
    const helper = await own("router", "conntrack-helper", "create", "edge", ...words);
    assert.equal(helper["port"], 21);
    await own("router", "conntrack-helper", "delete", "edge", String(helper["id"]));
    assert.deepEqual(await own<Row[]>("router", "conntrack-helper", "list", "edge"), []);
    for (const host of ["node-1", "node-2"]) await api.registerDhcpAgent(host);
    await own("port", "set", "three", "--device-owner", "compute:nova", "--binding-host-id", "node-1");
    await own("port", "binding", "create", "three", "--host", "node-2");
    assert.equal((await own("port", "binding", "activate", "three", "node-2"))["status"], "ACTIVE");
    await own("port", "binding", "delete", "three", "node-1");
  });
});
