// How the server program is operated: its figures, its log of requests, its limits, and its end.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const blue = { "x-project-id": "blue", "x-roles": "admin", "x-user-id": "alice" };

let directory: string;
let nats: TestNats;
const children: ChildProcess[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-operation-"));
  nats = await startTestNats([]);
});

after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await nats?.close();
  await rm(directory, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly client: RestClient;
  readonly log: () => readonly Readonly<Record<string, unknown>>[];
}

async function start(name: string, flags: Readonly<Record<string, string>> = {}): Promise<Started> {
  const settings = {
    "state-dir": directory,
    db: `sqlite:${join(directory, `${name}.db`)}`,
    "nats-url": nats.url,
    "nats-nkey-seed-file": nats.credentials.get("server")?.seedFile ?? "",
    listen: "127.0.0.1:0",
    "log-level": "info",
    ...flags,
  };
  const args = Object.entries(settings).map(([flag, value]) => `--${flag}=${value}`);
  const child = fork(launcher, ["server", ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"], execArgv: [] });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const { url } = await untilReady(child, () => text);
  const log = () =>
    text
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  return { child, url, client: new RestClient(url), log };
}

describe("figures and the log", () => {
  let server: Started;
  before(async () => {
    server = await start("figures");
  });

  test("count requests by route and status, statements, and what waits", async () => {
    const { client } = server;
    await client.request("POST", "/v2.0/networks", { network: { name: "a" } });
    const { status } = await client.request("GET", "/v2.0/networks/11111111-2222-4333-8444-555555555555");
    assert.equal(status, 404);
    await client.request("GET", "/nowhere/at/all");
    const page = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(page, /^netloom_http_requests_total\{method="POST",route="\/v2.0\/networks",status="201"\} 1$/m);
    assert.match(page, /^netloom_http_requests_total\{method="GET",route="\/v2.0\/networks\/:id",status="404"\} 1$/m);
    assert.match(page, /^netloom_http_requests_total\{method="GET",route="none",status="404"\} 1$/m);
    assert.match(page, /^netloom_http_request_seconds_count\{method="POST",route="\/v2.0\/networks"\} 1$/m);
    assert.ok(Number(/^netloom_sql_statements_total (\d+)$/m.exec(page)?.[1]) > 5);
    assert.ok(Number(/^netloom_sql_seconds_total ([\d.e-]+)$/m.exec(page)?.[1]) > 0);
    for (const name of ["netloom_notifications_waiting", "netloom_events_unpublished", "netloom_nats_connected"]) {
      assert.match(page, new RegExp(`^${name} \\d+$`, "m"));
    }
  });

  test("the log has one line for each request: who, what, how long, and the client's own name for it", async () => {
    const asked = "req-01234567-89ab-cdef-0123-456789abcdef";
    const answer = await server.client.request("GET", "/v2.0/ports", undefined, { ...blue, "x-openstack-request-id": asked });
    const requestId = answer.headers["x-openstack-request-id"];
    assert.match(String(requestId), /^req-[0-9a-f-]{36}$/);
    assert.notEqual(requestId, asked);
    const lines = () => server.log().filter((line) => line["requestId"] === requestId);
    await waitFor(() => lines().length > 0, { what: "the line", limitMs: 10_000 });
    const [line] = lines();
    const { method, path, status, projectId, userId, clientRequestId } = line ?? {};
    assert.deepEqual(
      [method, path, status, projectId, userId, clientRequestId],
      ["GET", "/v2.0/ports", 200, "blue", "alice", asked],
    );
    assert.equal(typeof line?.["ms"], "number");
  });
});

describe("limits", () => {
  let server: Started;
  before(async () => {
    server = await start("limits", { "api-rate-limit": "1", "api-rate-burst": "5", "api-pagination-max-limit": "2" });
  });

  test("a list has pages of the largest size also for clients that ask for all", async () => {
    const names = ["a", "b", "c"].map((name) => ({ name }));
    await server.client.request("POST", "/v2.0/networks", { networks: names }, { ...blue, "x-user-id": "pages" });
    const { body } = await server.client.request("GET", "/v2.0/networks?limit=100", undefined, {
      ...blue,
      "x-user-id": "pages",
    });
    const { networks, networks_links: links } = body as Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
    assert.equal(networks?.length, 2);
    assert.ok(links?.some((link) => link["rel"] === "next"));
  });

  test("who asks too often is told when to come back, and keeps nobody else waiting", async () => {
    const many = Array.from({ length: 12 }, () => server.client.request("GET", "/v2.0/ports", undefined, blue));
    const answers = await Promise.all(many);
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 4, `${refused.length} refused`);
    assert.equal(refused[0]?.headers["retry-after"], "1");
    assert.match(JSON.stringify(refused[0]?.body), /HTTPTooManyRequests/);
    const other = await server.client.request("GET", "/v2.0/ports", undefined, { ...blue, "x-user-id": "bob" });
    assert.equal(other.status, 200);
    for (let n = 0; n < 10; n++) assert.equal((await server.client.request("GET", "/healthz")).status, 200);
  });
});

describe("tokens", () => {
  test("with a file of tokens the server may listen for others; nobody gets in without one, and each has its rights", async () => {
    const file = join(directory, "tokens.json");
    const token = { admin: "a".repeat(40), reader: "r".repeat(40) };
    const tokens = [
      { token: token.admin, user: "root", project: "ops", roles: ["admin"] },
      { token: token.reader, user: "eve", project: "blue", roles: ["reader"] },
    ];
    await writeFile(file, JSON.stringify({ tokens }), { mode: 0o600 });
    const server = await start("tokens", { auth: "token", "token-file": file, listen: "0.0.0.0:0" });
    const port = new URL(server.url).port;
    const client = new RestClient(`http://127.0.0.1:${port}`);
    const create = (headers: Readonly<Record<string, string>>) =>
      client.request("POST", "/v2.0/networks", { network: { name: "x" } }, headers);
    assert.equal((await create({ "x-roles": "admin", "x-project-id": "ops" })).status, 401);
    assert.equal((await create({ "x-auth-token": "a".repeat(39) })).status, 401);
    assert.equal((await create({ "x-auth-token": token.reader })).status, 403);
    assert.equal((await create({ "x-auth-token": token.admin })).status, 201);
    const { body } = await client.request("GET", "/v2.0/networks", undefined, { "x-auth-token": token.reader });
    assert.deepEqual(body, { networks: [] });
    assert.equal((await client.request("GET", "/healthz")).status, 200);
    assert.ok(server.log().every((line) => !JSON.stringify(line).includes(token.admin)));
  });

  test("without tokens the server listens on loopback only, unless it is told that this is meant", async () => {
    const args = [`--state-dir=${directory}`, "--listen=0.0.0.0:0", `--nats-url=${nats.url}`];
    const child = fork(launcher, ["server", ...args], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
    children.push(child);
    let errors = "";
    child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    // Not its exit: what it said may still be on the way then.
    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 2);
    assert.match(errors, /auth none gives everybody who can reach 0\.0\.0\.0 full control/);
  });
});

test("a server that is told to stop says so, serves on for a while, ends what is under way, and goes", async () => {
  const { child, client } = await start("drain", { "api-drain-ms": "3000" });
  assert.equal((await client.request("GET", "/readyz")).status, 200);
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const unready = async (): Promise<boolean> => (await client.request("GET", "/readyz")).status === 503;
  await waitFor(unready, { what: "503 of /readyz", limitMs: 10_000 });
  const answer = await client.request("POST", "/v2.0/networks", { network: { name: "late" } });
  assert.equal(answer.status, 201);
  assert.deepEqual(await gone, [0, null]);
});
