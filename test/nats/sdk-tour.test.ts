// Every resource by the SDK of others in one process, and by their client: with `--auth none` and with a Keystone.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { KeystoneStandIn } from "../helpers/keystone.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const tour = fileURLToPath(new URL("../helpers/sdk-tour.py", import.meta.url));
// Debian's own: it sees Debian's packages.
const python = "/usr/bin/python3";
const execute = promisify(execFile);
const password = "of the service user";

let directory: string;
let nats: TestNats;
let keystone: KeystoneStandIn;
const children: ChildProcess[] = [];
let openUrl: string;
let keystoneUrl: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-tour-"));
  const passwordFile = join(directory, "password");
  await writeFile(passwordFile, `${password}\n`);
  await chmod(passwordFile, 0o600);
  nats = await startTestNats();
  keystone = await KeystoneStandIn.start([
    { name: "netloom", password, project: "service", roles: ["service"] },
    { name: "root", password: "r", project: "operators", roles: ["admin"] },
    { name: "ann", password: "a", project: "blue", roles: ["member"] },
  ]);
  const auth = ["--auth", "keystone", "--keystone-url", keystone.url, "--keystone-password-file", passwordFile];
  [openUrl, keystoneUrl] = await Promise.all([startServer("open", []), startServer("keystone", auth)]);
  keystone.networkUrl = keystoneUrl;
  await prepare(openUrl, {});
  await prepare(keystoneUrl, { "x-auth-token": keystone.issue("root") });
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await keystone?.close();
  await nats?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

async function startServer(name: string, auth: readonly string[]): Promise<string> {
  const flags = [
    "--state-dir",
    directory,
    "--db",
    `sqlite:${directory}/${name}.db`,
    "--nats-url",
    nats.url,
    "--listen",
    "127.0.0.1:0",
  ];
  const args = ["server", ...flags, "--log-level", "error", ...auth];
  const child = fork(launcher, args, { stdio: ["ignore", "ignore", "ignore", "ipc"], execArgv: [] });
  children.push(child);
  const { url } = await untilReady(child);
  return url;
}

/** What only an operator makes: a network that leads out. */
async function prepare(url: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const client = new RestClient(url);
  const network = { network: { name: "outside", "router:external": true } };
  const made = await client.request("POST", "/v2.0/networks", network, headers);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { id } = (made.body as { readonly network: { readonly id: string } }).network;
  const subnet = { subnet: { network_id: id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false, name: "outside4" } };
  assert.equal((await client.request("POST", "/v2.0/subnets", subnet, headers)).status, 201);
  client.close();
}

/** As openstack.connect takes it. */
const withoutLogin = (): object => ({
  auth_type: "none",
  auth: { endpoint: openUrl },
  network_endpoint_override: openUrl,
});
const loginOf = (username: string, secret: string, project: string): object => ({
  auth: {
    auth_url: keystone.url,
    username,
    password: secret,
    project_name: project,
    user_domain_name: "Default",
    project_domain_name: "Default",
  },
});

async function takeTour(connect: object, role: "admin" | "member"): Promise<readonly string[]> {
  const env = { PATH: process.env["PATH"], HOME: directory };
  const { stdout } = await execute(python, [tour, JSON.stringify(connect), role], { env });
  return stdout.trim().split("\n");
}

const forEverybody = [
  ...["network", "address_scope", "subnet_pool", "subnet", "tag", "port", "ports", "security_group", "security_group_rule"],
  ...["address_group", "router", "router interface", "extra route", "ip", "port forwarding", "qos_policy"],
  ...["qos bandwidth_limit rule", "qos dscp_marking rule", "qos minimum_bandwidth rule", "qos rule type", "trunk"],
  ...["trunk sub port", "rbac_policy", "extension", "quota", "flavor", "availability zone", "floating IP pool"],
];
const forOperators = ["network_segment_range", "segment", "network IP availability", "quota of another project", "agent"];

test("the SDK goes through every resource without a login", async () => {
  const passed = await takeTour(withoutLogin(), "admin");
  for (const name of [...forEverybody, ...forOperators, "everything removed"]) assert.ok(passed.includes(name), name);
});

test("the SDK goes through every resource with a login, as a member and as an administrator", async () => {
  const [member, admin] = await Promise.all([
    takeTour(loginOf("ann", "a", "blue"), "member"),
    takeTour(loginOf("root", "r", "operators"), "admin"),
  ]);
  for (const name of [...forEverybody, "everything removed"]) assert.ok(member.includes(name), name);
  for (const name of [...forEverybody, ...forOperators, "everything removed"]) assert.ok(admin.includes(name), name);
});

/** One or two of each resource, as people type them; quotas not: the client asks for those of the compute side, too. */
const commands: readonly string[] = [
  ...["network create red", "network list", "network set --description seen red", "network show red", "ip availability list"],
  ...["address scope create --ip-version 4 scope", "address scope list", "subnet pool create --pool-prefix 10.70.0.0/16 pool"],
  ...["subnet pool list", "subnet create --network red --subnet-pool pool --prefix-length 26 red4", "subnet list"],
  ...["port create --network red web", "port list", "port show web", "router create edge", "router add subnet edge red4"],
  ...[
    "router set --external-gateway outside edge",
    "router show edge",
    "floating ip create --port web outside",
    "floating ip list",
  ],
  ...["security group create group", "security group rule create --protocol tcp --dst-port 80 group"],
  ...[
    "security group rule list group",
    "security group list",
    "address group create --address 192.0.2.0/24 blocks",
    "address group list",
  ],
  ...[
    "network qos policy create slow",
    "network qos rule create --type dscp-marking --dscp-mark 10 slow",
    "network qos rule list slow",
  ],
  ...["network qos rule type list", "network rbac create --type network --action access_as_shared --target-all-projects red"],
  ...[
    "network rbac list",
    "port create --network red parent",
    "network trunk create --parent-port parent trunk",
    "network trunk list",
  ],
  ...["network segment list", "network segment range create --network-type vxlan --minimum 10 --maximum 20 --shared range"],
  ...["network segment range list", "network agent list", "availability zone list --network", "network service provider list"],
  ...["network flavor list", "extension list --network", "network l3 conntrack helper list edge"],
  ...["network trunk delete trunk", "network set --tag blue red", "network list --tags blue"],
];

test("the openstack client has a command of each resource answered", async () => {
  const env = { PATH: process.env["PATH"], HOME: directory };
  const client = spawn("openstack", ["--os-auth-type", "none", "--os-endpoint", openUrl], {
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  client.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  client.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  client.stdin.end(`${commands.join("\n")}\n`);
  await once(client, "close");

  assert.equal(output.stderr, "");
  for (const name of ["red4", "edge", "203.0.113.", "slow", "blocks", "range", "trunk", "access_as_shared"]) {
    assert.ok(output.stdout.includes(name), name);
  }
});
