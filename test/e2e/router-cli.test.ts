// Routers and floating IPs on the command line, against a running netloom.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { parse } from "yaml";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { type CommandResult, NetloomUp, netloom } from "../helpers/netloom-up.ts";
import { waitFor } from "../helpers/wait-for.ts";

type Row = Readonly<Record<string, unknown>>;

suite("netloom router and floatingip", { skip: skipWithoutRoot }, () => {
  let up: NetloomUp;
  before(async () => {
    up = await NetloomUp.create();
    await up.start();
    await json("network", "create", "public", "--router-external", "true");
    await json("subnet", "create", "public4", "--network", "public", "--cidr", "203.0.113.0/24", "--enable-dhcp", "false");
    await json("network", "create", "blue");
    await json("subnet", "create", "blue4", "--network", "blue", "--cidr", "10.0.0.0/24");
  });
  after(() => up.destroy());

  const run = (...args: readonly string[]): Promise<CommandResult> => netloom(args, { NETLOOM_URL: up.url });

  /** Runs a command that must succeed. */
  async function json<T = Row>(...args: readonly string[]): Promise<T> {
    const result = await run(...args, "-o", "json");
    assert.equal(result.exitCode, 0, `${args.join(" ")}: ${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  }

  async function quiet(...args: readonly string[]): Promise<void> {
    const result = await run(...args);
    assert.deepEqual([result.exitCode, result.stdout], [0, ""], result.stderr);
  }

  function assertFails(result: CommandResult, exitCode: number, message: RegExp): void {
    assert.equal(result.exitCode, exitCode, result.stderr);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, message);
  }

  const idOf = async (kind: string, name: string): Promise<unknown> => (await json(kind, "show", name))["id"];

  test("a router is made, joined, led out, given routes, hosted, and taken apart again, all by names", async () => {
    const router = await json("router", "create", "edge", "--description", "to the outside");
    assert.deepEqual([router["name"], router["external_gateway_info"]], ["edge", null]);
    const door = await json("router", "add-interface", "edge", "--subnet", "blue4");
    assert.deepEqual([door["id"], door["subnet_id"]], [router["id"], await idOf("subnet", "blue4")]);
    await json("port", "create", "door", "--network", "public");
    assertFails(await run("router", "add-interface", "edge"), 2, /give --subnet or --port/);
    assertFails(await run("router", "add-interface", "edge", "--subnet", "blue4"), 1, /already has a port on subnet/);

    const outward = await json(
      "router",
      "set-gateway",
      "edge",
      "public",
      "--fixed-ip",
      "ip-address=203.0.113.9",
      "--enable-snat",
      "false",
    );
    const info = outward["external_gateway_info"] as Row;
    assert.deepEqual([info["network_id"], info["enable_snat"]], [await idOf("network", "public"), false]);
    assert.match(JSON.stringify(info["external_fixed_ips"]), /"203\.0\.113\.9"/);
    const one = ["--route", "destination=10.8.0.0/16,nexthop=10.0.0.8"];
    const two = ["--route", "destination=10.9.0.0/16,nexthop=10.0.0.9"];
    assert.equal(((await json("router", "add-route", "edge", ...one, ...two))["routes"] as Row[]).length, 2);
    assert.equal(((await json("router", "remove-route", "edge", ...one))["routes"] as Row[]).length, 1);
    assert.equal(((await json("router", "set", "edge", ...one, ...two))["routes"] as Row[]).length, 2);
    assert.equal(((await json("router", "unset", "edge", ...two))["routes"] as Row[]).length, 1);
    assert.deepEqual((await json("router", "set", "edge", "--route", "none"))["routes"], []);

    const host = await waitFor(
      async () => (await json<Row[]>("agent", "list", "--router", "edge"))[0]?.["host"] as string | undefined,
      {
        limitMs: 10_000,
        what: "an agent to host the router",
      },
    );
    assert.equal(host, up.host);
    assert.deepEqual(
      (await json<Row[]>("agent", "router", "list", host)).map((each) => each["name"]),
      ["edge"],
    );
    await quiet("agent", "router", "remove", host, "edge");
    assert.deepEqual(await json<Row[]>("agent", "router", "list", host), []);
    assertFails(await run("agent", "router", "remove", host, "edge"), 4, /is not hosted/);
    await quiet("agent", "router", "add", host, "edge");
    assertFails(await run("agent", "router", "add", "nowhere", "edge"), 3, /no L3 agent has the id or host nowhere/);
    for (const type of ["L3 agent", "Floating IP agent"]) {
      const agent = (await json<Row[]>("agent", "list")).find((one) => one["agent_type"] === type);
      const isServed = async (): Promise<boolean> =>
        ((await json("agent", "show", String(agent?.["id"])))["routers"] as Row[]).some(
          (one) => one["router_id"] === router["id"] && one["state"] === "served",
        );
      await waitFor(isServed, { limitMs: 10_000, what: `the ${type} to say that it serves the router` });
    }

    assertFails(await run("router", "delete", "edge"), 4, /still has ports/);
    assert.equal((await json("router", "clear-gateway", "edge"))["external_gateway_info"], null);
    await json("router", "remove-interface", "edge", "--port", String(door["port_id"]));
    await quiet("router", "delete", "edge");
    assertFails(await run("router", "show", "edge"), 3, /no router has the name or id edge/);
  });

  test("a router is born with its way out, and both set and unset change it", async () => {
    const born = await json("router", "create", "out", "--external-gateway", "public", "--fixed-ip", "subnet=public4");
    assert.notEqual(born["external_gateway_info"], null);
    const renamed = await json(
      "router",
      "set",
      "out",
      "--name",
      "far",
      "--external-gateway",
      "public",
      "--enable-snat",
      "false",
    );
    assert.deepEqual([renamed["name"], renamed["enable_snat"]], ["far", false]);
    assertFails(await run("router", "set", "far", "--enable-snat", "true"), 2, /go with --external-gateway/);
    assertFails(await run("router", "set", "far"), 2, /nothing to change/);
    assertFails(await run("router", "unset", "far"), 2, /nothing to change/);
    assert.equal((await json("router", "unset", "far", "--external-gateway"))["external_gateway_info"], null);
    const table = await run("router", "list", "--filter", "name=far");
    assert.match(table.stdout, /^ID +NAME +STATUS +ADMIN_STATE_UP +EXTERNAL_GATEWAY_INFO\n[0-9a-f-]{36} +far +[A-Z]+ +true\n$/);
    await quiet("router", "delete", "far");
  });

  test("a floating IP is called by its address; it and its port forwardings are made, changed, listed and deleted", async () => {
    await json("router", "create", "way", "--external-gateway", "public");
    await json("router", "add-interface", "way", "--subnet", "blue4");
    const port = await json("port", "create", "web", "--network", "blue", "--fixed-ip", "ip-address=10.0.0.50");
    await json("port", "create", "db", "--network", "blue", "--fixed-ip", "ip-address=10.0.0.51");
    const create = ["floatingip", "create", "--network", "public"];
    const floating = await json(...create, "--floating-ip-address", "203.0.113.77", "--port", "web");
    const address = "203.0.113.77";
    assert.deepEqual([floating["floating_ip_address"], floating["port_id"]], [address, port["id"]]);

    assert.equal(((await json("floatingip", "show", address))["port_details"] as Row)["name"], "web");
    const listed = await json<Row[]>("floatingip", "list", "--port", "web", "--network", "public", "--router", "way");
    assert.deepEqual(
      listed.map((each) => each["id"]),
      [floating["id"]],
    );
    assert.deepEqual(await json<Row[]>("floatingip", "list", "--port", "db"), []);
    assert.equal((await json("floatingip", "unset", address, "--port"))["port_id"], null);
    const described = await json("floatingip", "set", String(floating["id"]), "--port", "db", "--description", "for now");
    assert.deepEqual([described["fixed_ip_address"], described["description"]], ["10.0.0.51", "for now"]);
    assert.equal((await json("floatingip", "set", address, "--port", "none"))["port_id"], null);
    assertFails(await run("floatingip", "unset", address), 2, /nothing to change/);
    assertFails(await run("floatingip", "show", "203.0.113.78"), 3, /no floatingip has the address or id 203\.0\.113\.78/);

    const pf = ["floatingip", "port-forwarding"];
    const target = ["--port", "web", "--internal-ip-address", "10.0.0.50", "--protocol", "tcp"];
    const made = await json(...pf, "create", address, ...target, "--external-port", "80", "--internal-port", "8080");
    const range = ["--external-port-range", "1000:1009", "--internal-port-range", "2000:2009"];
    const many = await json(...pf, "create", address, ...target, ...range, "--description", "many");
    assert.deepEqual([made["external_port"], many["external_port_range"]], [80, "1000:1009"]);
    const clash = await run(...pf, "create", address, ...target, "--external-port", "1001", "--internal-port", "9");
    assertFails(clash, 1, /duplicate port forwarding/);
    assert.equal((await json(...pf, "set", address, String(made["id"]), "--internal-port", "8081"))["internal_port"], 8081);
    assert.equal((await json<Row[]>(...pf, "list", address)).length, 2);
    const shown = await run(...pf, "show", address, String(many["id"]), "-o", "yaml");
    assert.equal((parse(shown.stdout) as Row)["description"], "many");
    assertFails(await run("floatingip", "set", address, "--port", "db"), 4, /in use by Port Forwarding/);
    assertFails(
      await run(...pf, "delete", address, String(made["id"]), "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b"),
      3,
      /could not be found/,
    );
    await quiet(...pf, "delete", address, String(made["id"]), String(many["id"]));
    assert.deepEqual(await json<Row[]>(...pf, "list", address), []);

    await quiet("floatingip", "delete", address);
    await json("router", "remove-interface", "way", "--subnet", "blue4");
    await quiet("router", "delete", "way");
  });

  test("every command has help with an example", async () => {
    const verbs = ["create", "list", "show", "set", "unset", "delete"];
    const routerVerbs = ["add-interface", "remove-interface", "set-gateway", "clear-gateway", "add-route", "remove-route"];
    const commands = [
      ...[...verbs, ...routerVerbs].map((verb) => ["router", verb]),
      ...verbs.map((verb) => ["floatingip", verb]),
      ...verbs.filter((verb) => verb !== "unset").map((verb) => ["floatingip", "port-forwarding", verb]),
      ...["add", "remove", "list"].map((verb) => ["agent", "router", verb]),
      ...[["router"], ["floatingip"], ["floatingip", "port-forwarding"], ["agent", "router"]],
    ];
    for (const argv of commands) {
      const result = await run(...argv, "--help");

      assert.equal(result.exitCode, 0, argv.join(" "));
      assert.match(result.stdout, new RegExp(`Example:\\n  netloom ${argv.join(" ")}`), argv.join(" "));
    }
  });
});
