// The client of others logs in at a Keystone and comes with its token to a server that asks that Keystone.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, fork } from "node:child_process";
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
const execute = promisify(execFile);
const password = "of the service user";

let directory: string;
let nats: TestNats;
let keystone: KeystoneStandIn;
let server: ChildProcess | undefined;
let url: string;
let logged = "";

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-keystone-"));
  const passwordFile = join(directory, "password");
  await writeFile(passwordFile, `${password}\n`);
  await chmod(passwordFile, 0o600);
  nats = await startTestNats([]);
  keystone = await KeystoneStandIn.start([
    { name: "netloom", password, project: "service", roles: ["service"] },
    { name: "root", password: "r", project: "operators", roles: ["admin"] },
    { name: "ann", password: "a", project: "blue", roles: ["member", "some-other-role"] },
    { name: "bob", password: "b", project: "blue", roles: ["reader"] },
  ]);
  const seedFile = nats.credentials.get("server")?.seedFile ?? "";
  const flags = [
    "--state-dir",
    directory,
    "--nats-url",
    nats.url,
    "--nats-nkey-seed-file",
    seedFile,
    "--listen",
    "127.0.0.1:0",
  ];
  const auth = ["--auth", "keystone", "--keystone-url", keystone.url, "--keystone-password-file", passwordFile];
  server = fork(launcher, ["server", ...flags, ...auth], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
  server.stderr?.on("data", (text: Buffer) => {
    logged += text.toString();
  });
  ({ url } = await untilReady(server, () => logged));
  keystone.networkUrl = url;
});

after(async () => {
  server?.kill("SIGKILL");
  await keystone?.close();
  await nats?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

interface Login {
  readonly user: string;
  readonly password: string;
  readonly project: string;
}

const ann: Login = { user: "ann", password: "a", project: "blue" };
const bob: Login = { user: "bob", password: "b", project: "blue" };

const environmentOf = (login: Login): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  HOME: directory,
  OS_AUTH_URL: keystone.url,
  OS_USERNAME: login.user,
  OS_PASSWORD: login.password,
  OS_PROJECT_NAME: login.project,
  OS_USER_DOMAIN_NAME: "Default",
  OS_PROJECT_DOMAIN_NAME: "Default",
  OS_IDENTITY_API_VERSION: "3",
});

const openstack = (login: Login, ...args: readonly string[]) =>
  execute("openstack", [...args, "-f", "json"], { env: environmentOf(login) });

test("the openstack client logs in and makes a network, which a reader of the project lists and may not copy", async () => {
  const made = JSON.parse((await openstack(ann, "network", "create", "from-ann")).stdout) as Record<string, unknown>;
  assert.deepEqual([made["name"], made["project_id"]], ["from-ann", keystone.projectIdOf("blue")]);
  assert.equal(made["provider:network_type"] ?? null, null);

  const [listed, refused] = await Promise.all([
    openstack(bob, "network", "list"),
    openstack(bob, "network", "create", "from-bob").then(
      () => "made",
      (thrown: unknown) => String(thrown),
    ),
  ]);
  const names = (JSON.parse(listed.stdout) as readonly Record<string, unknown>[]).map((network) => network["Name"]);
  assert.deepEqual(names, ["from-ann"]);
  assert.match(refused, /403|disallowed by policy/);

  const root = { user: "root", password: "r", project: "operators" };
  const shown = JSON.parse((await openstack(root, "network", "show", "from-ann")).stdout) as Record<string, unknown>;
  assert.equal(shown["id"], made["id"]);
});

test("the command line of netloom comes with a token, or logs in when it is asked to", async () => {
  const login = (more: NodeJS.ProcessEnv, ...args: readonly string[]) => {
    const env = { PATH: process.env["PATH"], HOME: directory, NETLOOM_URL: url, ...more };
    return execute(process.execPath, [launcher, ...args], { env }).then(
      ({ stdout }) => stdout,
      (thrown: { readonly stderr?: string }) => `failed: ${thrown.stderr}`,
    );
  };

  const [byToken, byPassword, byWrongPassword, byNothing] = await Promise.all([
    login({ OS_TOKEN: keystone.issue("bob") }, "network", "list"),
    login(environmentOf(ann), "network", "create", "by-cli"),
    login({ ...environmentOf(ann), OS_PASSWORD: "wrong" }, "network", "list"),
    login({}, "network", "list"),
  ]);

  assert.match(byToken, /from-ann/);
  assert.match(byPassword, /by-cli/);
  assert.match(byWrongPassword, /^failed: netloom: .*Keystone.*refuses/);
  assert.match(byNothing, /^failed: netloom: .*requires authentication.*OS_TOKEN/);
});

test("who has no token gets 401 and is told where tokens are; no token is in the log", async () => {
  const client = new RestClient(url);
  const bare = await client.request("POST", "/v2.0/networks", { network: {} });
  const wrong = await client.request("GET", "/v2.0/networks", undefined, { "x-auth-token": "no-such-token" });
  const token = keystone.issue("ann");
  const good = await client.request("GET", "/v2.0/networks", undefined, { "x-auth-token": token });
  const paths = ["/", "/healthz", "/readyz", "/metrics"];
  const open = await Promise.all(paths.map(async (path) => (await fetch(`${url}${path}`)).status));
  client.close();

  for (const answer of [bare, wrong]) {
    assert.equal(answer.status, 401);
    assert.equal(answer.headers["www-authenticate"], `Keystone uri="${keystone.url}"`);
    const message = "The request you have made requires authentication.";
    assert.deepEqual(answer.body, { error: { code: 401, title: "Unauthorized", message } });
  }
  assert.equal(good.status, 200);
  assert.deepEqual(open, [200, 200, 200, 200]);
  for (const secret of [token, "no-such-token", password]) assert.ok(!logged.includes(secret));
});
