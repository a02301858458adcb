// Commands of what needs no agent, as people type them, against the server program; and `netloom db`, with the server running.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { type CommandResult, netloom } from "../helpers/netloom-up.ts";
import { untilReady } from "../helpers/ready-program.ts";

type Row = Readonly<Record<string, unknown>>;

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const other = "5d3c2e1f0a9b0190b6a83c1e7f008a00";

let directory: string;
let nats: TestNats;
let server: ChildProcess | undefined;
let url = "";

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-cli-"));
  nats = await startTestNats();
  const flags = ["--state-dir", directory, "--listen", "127.0.0.1:0", "--nats-url", nats.url, "--log-level", "error"];
  const segments = ["--network-vxlan-ranges", "100:199"];
  server = fork(launcher, ["server", ...flags, ...segments], { execArgv: [] });
  ({ url } = await untilReady(server));
});

after(async () => {
  server?.kill("SIGKILL");
  await nats?.close();
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: readonly string[]): Promise<CommandResult> => netloom(args, { NETLOOM_URL: url });

async function json<T = Row>(...args: readonly string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await run(...args, "-o", "json");
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout) as T;
}

async function done(...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await run(...args);
  assert.equal(exitCode, 0, stderr);
}

describe("commands", () => {
  test("limits are set, shown and taken back, and hold", async () => {
    assert.equal((await json("quota", "show", "--default"))["router"], 10);
    assert.equal((await json("quota", "set", other, "--limit", "network=0", "--limit", "port=-1"))["network"], 0);
    const refused = await run("network", "create", "toomuch", "--project-id", other);
    assert.deepEqual([refused.exitCode, refused.stderr.includes("Quota exceeded")], [4, true], refused.stderr);
    assert.equal((await json<readonly Row[]>("quota", "list")).length, 1);
    await done("quota", "delete", other);
    const limits = await json<readonly Row[]>("quota", "show", other);
    const network = limits.find((limit) => limit["resource"] === "network");
    assert.deepEqual([network?.["limit"], network?.["used"]], [100, 0]);
  });

  test("tags are added, listed, filtered by and removed", async () => {
    await json("network", "create", "tagged");
    await done("tag", "add", "network", "tagged", "web", "db");
    assert.deepEqual((await json("network", "show", "tagged"))["tags"], ["web", "db"]);
    const found = await json<readonly Row[]>("network", "list", "--filter", "tags=web,db");
    assert.deepEqual(
      found.map((network) => network["name"]),
      ["tagged"],
    );
    await done("tag", "remove", "network", "tagged", "web");
    assert.deepEqual((await json("network", "show", "tagged"))["tags"], ["db"]);
  });

  test("a network is shared with one project, and taken back", async () => {
    const network = await json("network", "create", "shared");
    const what = ["--object-type", "network", "--object-id", String(network["id"]), "--action", "access_as_shared"];
    const policy = await json("rbac", "create", ...what, "--target-project", other);
    const [listed] = await json<readonly Row[]>("rbac", "list");
    assert.equal(listed?.["target_project"], other);
    const third = other.replace(/0$/, "1");
    assert.equal((await json("rbac", "set", String(policy["id"]), "--target-project", third))["target_project"], third);
    await done("rbac", "delete", String(policy["id"]));
    assert.deepEqual(await json("rbac", "list"), []);
  });

  test("segment ids come from ranges, which are listed with what is free", async () => {
    const made = await json("network", "create", "far", "--provider-network-type", "vxlan");
    const id = Number(made["provider:segmentation_id"]);
    assert.ok(id >= 100 && id <= 199, String(id));
    const ranges = await json<readonly Row[]>("network-segment-range", "list");
    assert.ok(ranges.some((range) => range["minimum"] === 100 && range["maximum"] === 199));
    const [segment] = await json<readonly Row[]>("segment", "list", "--network", "far");
    assert.equal(segment?.["segmentation_id"], id);
  });

  test("security groups and their rules are kept", async () => {
    await json("security-group", "create", "web");
    const rule = await json(
      ...["security-group-rule", "create", "--security-group", "web", "--direction", "ingress", "--protocol", "tcp"],
      ...["--port-range-min", "80", "--port-range-max", "80"],
    );
    assert.equal(rule["port_range_min"], 80);
    const shown = await json("security-group", "show", "web");
    assert.equal((shown["security_group_rules"] as readonly Row[]).length, 3);
  });

  test("every kind of object that the API gives tags to has them on the command line", async () => {
    const ask = async (path: string, body?: object): Promise<Row> => {
      const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      return (await (await fetch(`${url}/${path}`, body === undefined ? {} : init)).json()) as Row;
    };
    const made = async (kind: string, attributes: object, path = `${kind}s`): Promise<Row> =>
      (await ask(`v2.0/${path}`, { [kind]: { name: "marked", ...attributes } }))[kind] as Row;
    const { paths } = await ask("openapi.json");
    // QoS policies are below two paths there.
    const tagged = Object.keys(paths as Row).filter((path) => path.endsWith("/tags") && !path.startsWith("/v2.0/policies/"));
    const network = await made("network", {});
    const outside = await made("network", { name: "outside", "router:external": true });
    const subnet = { enable_dhcp: false, ip_version: 4 };
    await made("subnet", { ...subnet, name: "outer", network_id: outside["id"], cidr: "203.0.113.0/24" });
    await made("subnet", { ...subnet, network_id: network["id"], cidr: "10.7.0.0/24" });
    await made("subnetpool", { prefixes: ["10.8.0.0/16"] });
    const port = await made("port", { network_id: network["id"] });
    await made("router", {});
    await made("security_group", {}, "security-groups");
    await made("policy", {}, "qos/policies");
    await made("trunk", { port_id: port["id"] });
    await made("network_segment_range", { network_type: "vxlan", shared: true, minimum: 500, maximum: 501 });
    const floating = (await ask("v2.0/floatingips", { floatingip: { floating_network_id: outside["id"] } }))[
      "floatingip"
    ] as Row;

    const { stdout: help } = await run("tag", "list", "--help");
    const choices = /choices: ([^)]*)\)/.exec(help.replaceAll(/\s+/g, " "))?.[1] ?? "";
    const kinds = choices.split(", ").map((kind) => JSON.parse(kind) as string);

    assert.equal(kinds.length, tagged.length, `${kinds.join()} and ${tagged.join()}`);
    for (const kind of kinds) {
      const handle = kind === "floatingip" ? String(floating["floating_ip_address"]) : "marked";
      assert.deepEqual((await json("tag", "add", kind, handle, "b", "a"))["tags"], ["b", "a"], kind);
    }
    for (const path of tagged) {
      const collection = path.replace(/\/\{id\}\/tags$/, "").slice(1);
      const [list = []] = Object.values(await ask(`${collection}?tags=a,b`)) as readonly (readonly Row[])[];
      assert.equal(list.length, 1, collection);
    }
  });
});

describe("the database", () => {
  test("is checked and copied while the server runs; a copy is whole", async () => {
    const report = await json("db", "check", "--state-dir", directory);
    assert.deepEqual([report["engine"], report["problems"], report["pending"]], ["sqlite", [], []]);
    const file = join(directory, "copy.db");
    const copied = await json("db", "backup", file, "--state-dir", directory);
    assert.equal(copied["bytes"], (await stat(file)).size);
    const again = await run("db", "backup", file, "--state-dir", directory);
    assert.equal(again.exitCode, 4);
    assert.match(again.stderr, /exists already/);
    assert.deepEqual((await json("db", "upgrade", "--db", `sqlite:${file}`))["applied"], []);
    assert.equal((await run("db", "check", "--db", `sqlite:${join(directory, "nothing.db")}`)).exitCode, 3);
    assert.equal((await run("db", "check", "--db", "mysql://x")).exitCode, 2);
  });
});
