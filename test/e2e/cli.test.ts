// The command line against a running netloom: what people type, what they read, what scripts get.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { parse } from "yaml";
import { deviceNames, createNamespace, deleteNamespace, sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { type CommandResult, NetloomUp, netloom } from "../helpers/netloom-up.ts";
import { waitFor } from "../helpers/wait-for.ts";

type Row = Readonly<Record<string, unknown>>;

suite("netloom command line", { skip: skipWithoutRoot }, () => {
  let up: NetloomUp;
  before(async () => {
    up = await NetloomUp.create();
    await up.start();
  });
  after(() => up.destroy());

  const run = (...args: readonly string[]): Promise<CommandResult> => netloom(args, { NETLOOM_URL: up.url });

  /** Runs a command that must succeed. */
  async function json<T = Row>(...args: readonly string[]): Promise<T> {
    const result = await run(...args, "-o", "json");
    assert.equal(result.exitCode, 0, result.stderr);
    assert.equal(result.stderr, "");
    return JSON.parse(result.stdout) as T;
  }

  function assertFails(result: CommandResult, exitCode: number, message: RegExp): void {
    assert.equal(result.exitCode, exitCode, result.stderr);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, message);
    assert.equal(result.stderr.trim().split("\n").length, 1, `more than one line: ${result.stderr}`);
  }

  test("create, list, show, set and delete work by name and by id", async () => {
    const network = await json("network", "create", "blue", "--mtu", "1450");
    const subnet = await json(
      ...["subnet", "create", "blue4", "--network", "blue", "--cidr", "10.1.0.0/24", "--dns-nameserver", "192.0.2.1"],
      ...["--dns-nameserver", "192.0.2.2", "--host-route", "destination=10.9.0.0/16,nexthop=10.1.0.9"],
      ...["--allocation-pool", "start=10.1.0.100,end=10.1.0.120"],
    );
    const port = await json("port", "create", "web", "--network", "blue", "--fixed-ip", "subnet=blue4,ip-address=10.1.0.110");

    assert.equal(subnet["network_id"], network["id"]);
    assert.equal(subnet["ip_version"], 4);
    assert.deepEqual(subnet["dns_nameservers"], ["192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(subnet["host_routes"], [{ destination: "10.9.0.0/16", nexthop: "10.1.0.9" }]);
    assert.deepEqual(port["fixed_ips"], [{ subnet_id: subnet["id"], ip_address: "10.1.0.110" }]);

    const changed = await json("subnet", "set", "blue4", "--gateway-ip", "none", "--dns-nameserver", "none");
    assert.equal(changed["gateway_ip"], null);
    assert.deepEqual(changed["dns_nameservers"], []);
    assert.equal((await json("port", "show", String(port["id"])))["name"], "web");
    const listed = await json<Row[]>("port", "list", "--network", "blue", "--filter", "name=web");
    assert.deepEqual(
      listed.map((one) => one["id"]),
      [port["id"]],
    );

    for (const argv of [
      ["port", "delete", "web"],
      ["subnet", "delete", "blue4"],
      ["network", "delete", String(network["id"])],
    ]) {
      const result = await run(...argv);
      assert.equal(result.exitCode, 0, result.stderr);
      assert.equal(result.stdout, "");
    }
    assert.deepEqual(await json<Row[]>("network", "list", "--filter", "name=blue"), []);
  });

  test("lists print a table, and yaml when asked", async () => {
    await json("network", "create", "red");

    const table = await run("network", "list", "--sort", "name");
    const yaml = await run("network", "show", "red", "-o", "yaml");

    assert.match(table.stdout, /^ID +NAME +STATUS +MTU +SUBNETS\n[0-9a-f-]{36} +red +ACTIVE +1500\n$/);
    assert.equal((parse(yaml.stdout) as Row)["name"], "red");
  });

  test("a name that two have is refused with both ids", async () => {
    const one = await json("network", "create", "twin");
    const two = await json("network", "create", "twin");

    const result = await run("network", "show", "twin");

    assertFails(result, 2, /2 networks have the name twin/);
    for (const network of [one, two]) assert.ok(result.stderr.includes(String(network["id"])));
  });

  test("failures are the API's message in one line, with the exit code of their kind", async () => {
    await json("network", "create", "full");
    await json("subnet", "create", "full4", "--network", "full", "--cidr", "10.2.0.0/24");
    await json("port", "create", "--network", "full", "--fixed-ip", "ip-address=10.2.0.9");

    assertFails(await run("network", "show", "nobody"), 3, /no network has the name or id nobody/);
    assertFails(await run("port", "create", "--network", "full", "--fixed-ip", "ip-address=10.2.0.9"), 4, /10\.2\.0\.9/);
    assertFails(await run("subnet", "delete", "full4"), 4, /One or more ports have an IP allocation/);
    assertFails(await run("subnet", "create", "--network", "full", "--cidr", "10.3.0.0/99"), 1, /10\.3\.0\.0\/99/);
    assertFails(
      await run("subnet", "create", "--network", "full"),
      1,
      /a subnetpool must be specified in the absence of a cidr/,
    );
    assertFails(await run("network", "list", "--nonsense"), 2, /unknown option '--nonsense'/);
    assertFails(await run("network", "list", "--url", "http://127.0.0.1:1"), 5, /no server answers at http:\/\/127\.0\.0\.1:1/);
  });

  test("blocks of subnets come from pools, and pools are in scopes, all by names", async () => {
    const scope = await json("address-scope", "create", "corporate", "--ip-version", "4");
    const pool = ["subnetpool", "create", "office", "--prefix", "10.64.0.0/16", "--default-prefixlen", "24"];
    assert.equal((await json(...pool, "--address-scope", "corporate"))["address_scope_id"], scope["id"]);
    await json("subnetpool", "create", "six", "--prefix", "fd00::/48");
    await json("network", "create", "pooled");

    const four = await json("subnet", "create", "pooled4", "--network", "pooled", "--subnetpool", "office");
    const six = await json("subnet", "create", "pooled6", "--network", "pooled", "--subnetpool", "six", "--prefixlen", "72");
    assert.deepEqual([four["cidr"], six["cidr"]], ["10.64.0.0/24", "fd00::/72"]);
    assert.equal((await json("network", "show", "pooled"))["ipv4_address_scope"], scope["id"]);
    const grown = await json("subnetpool", "add-prefix", "office", "10.65.0.0/16", "192.0.2.0/24");
    assert.deepEqual(grown["prefixes"], ["10.64.0.0/15", "192.0.2.0/24"]);
    await json("network", "create", "older");
    await json("subnet", "create", "older4", "--network", "older", "--cidr", "198.51.100.0/24");
    const all = await json("subnetpool", "onboard", "office", "older");
    assert.deepEqual(all["prefixes"], ["10.64.0.0/15", "192.0.2.0/24", "198.51.100.0/24"]);
    assert.equal((await json("subnet", "show", "older4"))["subnetpool_id"], all["id"]);
    const less = await json("subnetpool", "remove-prefix", "office", "192.0.2.0/24");
    assert.deepEqual(less["prefixes"], ["10.64.0.0/15", "198.51.100.0/24"]);
    assert.equal((await json("subnetpool", "set", "office", "--address-scope", "none"))["address_scope_id"], null);

    assertFails(await run("subnetpool", "delete", "office"), 1, /Subnet pool has existing allocations/);
    assertFails(await run("subnet", "create", "--network", "older", "--ip-version", "5", "--cidr", "10.0.0.0/8"), 2, /4 or 6/);
    for (const name of ["pooled", "older"]) assert.equal((await run("network", "delete", name)).exitCode, 0);
    assert.equal((await run("subnetpool", "delete", "office", "six")).exitCode, 0);
    assert.equal((await run("address-scope", "delete", "corporate")).exitCode, 0);
  });

  test("the agent of this host is listed and shown", async () => {
    const agent = (await json<Row[]>("agent", "list")).find((one) => one["agent_type"] === "DHCP agent");

    assert.equal(agent?.["host"], up.host);
    const id = String(agent?.["id"]);
    const far = await json("agent", "show", id, "--state-dir", "/nonexistent");
    assert.equal(far["alive"], true);
    assert.ok(Array.isArray(far["networks"]), "told by the agent, by way of the server");
    assert.equal(far["phase"], "ready");
    assert.deepEqual(await json<Row[]>("lease", "list"), []);
  });

  test("agent show tells how each network is, by asking the agent", async () => {
    const network = await json("network", "create", "shown");
    await json("subnet", "create", "--network", "shown", "--cidr", "10.7.0.0/24");
    const agent = (await json<Row[]>("agent", "list")).find((one) => one["agent_type"] === "DHCP agent");
    const show = ["agent", "show", String(agent?.["id"]), "--state-dir", "/nonexistent"];

    const served = await waitFor(
      async () =>
        ((await json(...show))["networks"] as Row[]).find(
          (one) => one["network_id"] === network["id"] && one["state"] === "served",
        ),
      { limitMs: 10_000, what: "the network to be shown as served" },
    );
    assert.equal(served["ports"], 1, "the agent's own");
    assert.match(String(served["last_reconcile_at"]), /^\d{4}-\d\d-\d\dT/);
    const table = await run(...show);
    assert.match(table.stdout, new RegExp(`\\n${String(network["id"])} +served +1 `));
    const agentPid = await up.findProgram("dhcp-agent");
    assert.ok(agentPid !== undefined);
    process.kill(agentPid, "SIGSTOP");
    const hung = await run(...show).finally(() => process.kill(agentPid, "SIGCONT"));
    assert.equal(hung.exitCode, 0);
    assert.match(hung.stdout, /^ADMIN_STATE_UP|^admin_state_up/);
    assert.doesNotMatch(hung.stdout, /served/);
    assert.match(
      hung.stderr,
      /^netloom: its networks are not known: Agent .* cannot be asked: it does not answer in time, its last/,
    );
  });

  test("plug puts the port's interface into a namespace and binds it; unplug undoes both", async (context) => {
    const namespace = await createNamespace(`${up.prefix}cli`);
    context.after(() => deleteNamespace(namespace));
    await json("network", "create", "plugged", "--mtu", "1400");
    await json("subnet", "create", "--network", "plugged", "--cidr", "10.4.0.0/24");
    const port = await json("port", "create", "instance", "--network", "plugged");
    const here = ["--state-dir", up.stateDir];

    const plugged = await json("port", "plug", "instance", "--netns", namespace, ...here);
    assert.equal(plugged["host"], up.host);
    const [device] = JSON.parse(await sh("ip", "-n", namespace, "-j", "link", "show", "eth0")) as Row[];
    assert.equal(device?.["address"], port["mac_address"]);
    assert.equal(device?.["mtu"], 1400);
    assert.equal((await json("port", "show", "instance"))["binding:host_id"], up.host);

    const again = await run("port", "plug", "instance", "--netns", namespace, ...here);
    assert.equal(again.exitCode, 0, again.stderr);
    assertFails(await run("port", "plug", "instance", "--tap", ...here), 4, /is plugged as eth0 in namespace/);
    assertFails(await run("port", "plug", "instance", "--netns", "nowhere", ...here, "--host", "other"), 4, /plugged on host/);

    const unplugged = await run("port", "unplug", "instance", ...here);
    assert.equal(unplugged.exitCode, 0, unplugged.stderr);
    assert.doesNotMatch(await sh("ip", "-n", namespace, "link", "show"), /eth0/);
    assert.equal((await json("port", "show", "instance"))["binding:host_id"], "");
    assert.equal((await run("port", "unplug", "instance", ...here)).exitCode, 0);
  });

  test("a plug that fails leaves the port unbound, and a tap can be had too", async () => {
    await json("network", "create", "tapped");
    const port = await json("port", "create", "guest", "--network", "tapped");
    const here = ["--state-dir", up.stateDir];

    assertFails(await run("port", "plug", "guest", "--netns", "nowhere", ...here), 3, /no network namespace nowhere/);
    assertFails(await run("port", "plug", "guest", "--tap", ...here, "--host", "moon"), 4, /knows no agent on host moon/);
    assert.equal((await json("port", "show", "guest"))["binding:host_id"], "");
    assertFails(await run("port", "plug", "guest", "--tap", "--state-dir", "/tmp"), 2, /not a state directory of netloom/);
    assert.equal((await json("port", "show", "guest"))["binding:host_id"], "");

    const tap = await json("port", "plug", "guest", "--tap", ...here);
    assert.ok((await deviceNames()).has(String(tap["tap"])));
    await json("port", "show", String(port["id"]));
    assert.equal((await run("port", "unplug", "guest", ...here)).exitCode, 0);
    assert.equal((await deviceNames()).has(String(tap["tap"])), false);
  });

  test("every command has help with an example", async () => {
    const verbs = ["create", "list", "show", "set", "delete"];
    const commands = [
      ...["network", "subnet", "port"].flatMap((kind) => verbs.map((verb) => [kind, verb])),
      ...[
        ["port", "plug"],
        ["port", "unplug"],
        ["agent", "list"],
        ["agent", "show"],
        ["lease", "list"],
        ["lease", "show"],
      ],
      ...["network", "subnet", "port", "agent", "lease"].map((kind) => [kind]),
      ...[["up"], ["down"], ["server"], ["dhcp-agent"]],
    ];
    for (const argv of commands) {
      const result = await run(...argv, "--help");

      assert.equal(result.exitCode, 0, argv.join(" "));
      assert.match(result.stdout, new RegExp(`Example:\\n  netloom ${argv.join(" ")}`), argv.join(" "));
    }
  });
});
