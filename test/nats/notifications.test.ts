// What users outside hear of changes: the real server program, a real nats-server with JetStream, and the consumer of the documentation.
import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/base/logger.ts";
import { connectBus } from "../../src/messaging/nats-bus.ts";
import { observerInboxPrefix } from "../../src/messaging/subjects.ts";
import { endOf } from "../helpers/children.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const example = fileURLToPath(new URL("../../docs/examples/follow-notifications.mjs", import.meta.url));

type Message = Readonly<Record<string, unknown>> & { readonly subject: string; readonly sequence: number };

let directory: string;
let nats: TestNats;
let server: { readonly child: ChildProcess; readonly url: string };
const children: ChildProcess[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-notify-"));
  nats = await startTestNats([]);
  server = await startServer(nats);
});

after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await nats?.close();
  await rm(directory, { recursive: true, force: true });
});

async function startServer({ url, credentials }: TestNats, stateDir = directory): Promise<typeof server> {
  const seedFile = credentials.get("server")?.seedFile;
  const settings = {
    "state-dir": stateDir,
    "nats-url": url,
    ...(seedFile === undefined ? {} : { "nats-nkey-seed-file": seedFile }),
    listen: "127.0.0.1:0",
    "log-level": "warn",
  };
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const child = fork(launcher, ["server", ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"], execArgv: [] });
  children.push(child);
  const { url: listens } = await untilReady(child);
  return { child, url: listens };
}

/** The consumer of the documentation, from the beginning or from `since` on. */
function follow(since?: string): readonly Message[] {
  const seedFile = nats.credentials.get("observer")?.seedFile ?? "";
  const args = [example, nats.url, seedFile, ...(since === undefined ? [] : [since])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const messages: Message[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => messages.push(JSON.parse(line) as Message));
  return messages;
}

async function create(kind: string, body: object): Promise<Readonly<Record<string, unknown>> & { readonly id: string }> {
  const answer = await new RestClient(server.url).request("POST", `/v2.0/${kind}s`, { [kind]: body });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return (answer.body as Record<string, never>)[kind] as never;
}

const about = (messages: readonly Message[], id: string): readonly string[] =>
  messages.filter((message) => message["id"] === id).map((message) => message.subject.slice("nl.notify.".length));

describe("users who follow notifications", () => {
  test("read what was before they came: each committed change once, in order, with who asked for it", async () => {
    const client = new RestClient(server.url);
    const network = await create("network", { name: "blue" });
    const path = `/v2.0/networks/${network.id}`;
    const headers = { "x-project-id": "someone", "x-roles": "admin" };
    const { headers: answered } = await client.request("PUT", path, { network: { name: "red" } }, headers);
    await client.request("DELETE", path);

    const messages = follow();
    await waitFor(() => about(messages, network.id).includes("network.delete.end"), { what: "the end", limitMs: 20_000 });

    assert.deepEqual(
      about(messages, network.id).filter((subject) => subject.endsWith(".end")),
      ["network.create.end", "network.update.end", "network.delete.end"],
    );
    assert.ok(about(messages, network.id).includes("network.update.start"));
    const update = messages.find((message) => message["event"] === "network.update.end" && message["id"] === network.id);
    assert.equal(update?.["request_id"], answered["x-openstack-request-id"]);
    assert.equal(update?.["revision_number"], 2);
    const start = messages.find((message) => message["event"] === "network.update.start" && message["id"] === network.id);
    assert.deepEqual([start?.["project_id"], start?.["body"]], ["someone", { network: { name: "red" } }]);
  });

  test("see the object as it is, and what the server changed by itself", async () => {
    const network = await create("network", { name: "green" });
    const subnet = await create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const messages = follow();
    await waitFor(() => about(messages, subnet.id).includes("subnet.create.end"), { what: "the subnet", limitMs: 20_000 });
    const created = messages.find((message) => message["event"] === "subnet.create.end" && message["id"] === subnet.id);
    const shown = created?.["subnet"] as Message | undefined;
    assert.deepEqual(shown?.["allocation_pools"], subnet["allocation_pools"]);
  });

  test("hear of a refused change that it was asked for, and never that it was made", async () => {
    const network = await create("network", { name: "yellow" });
    const path = `/v2.0/networks/${network.id}`;
    const { status } = await new RestClient(server.url).request("PUT", path, { network: { mtu: -1 } });
    assert.equal(status, 400);
    const last = await create("network", { name: "last" });
    const messages = follow();
    await waitFor(() => about(messages, last.id).includes("network.create.end"), { what: "the last", limitMs: 20_000 });
    assert.deepEqual(about(messages, network.id), ["network.create.end", "network.update.start"]);
  });

  test("may neither write messages nor remove the stream", async () => {
    const bus = await connectBus({
      url: nats.url,
      inboxPrefix: observerInboxPrefix,
      name: "observer",
      firstConnectTimeoutMs: 5000,
      log: silentLogger,
      nkeySeedFile: nats.credentials.get("observer")?.seedFile ?? "",
    });
    try {
      bus.publish("nl.notify.network.create.end", { forged: true });
      const purge = bus.request("$JS.API.STREAM.PURGE.NOTIFY", {}, { timeoutMs: 1000 });
      await assert.rejects(purge, { name: "NetloomError" });
      const last = await create("network", { name: "after" });
      const messages = follow();
      await waitFor(() => about(messages, last.id).includes("network.create.end"), { what: "the last", limitMs: 20_000 });
      assert.ok(messages.every((message) => message["forged"] === undefined));
    } finally {
      await bus.close();
    }
  });

  test("miss nothing that was committed while NATS was away, and read again what they had read before", async () => {
    const early = await create("network", { name: "early" });
    const before = follow();
    await waitFor(() => about(before, early.id).includes("network.create.end"), { what: "the early one", limitMs: 20_000 });
    await nats.kill();
    const late = await create("network", { name: "late" });
    await nats.restart();
    const messages = follow();
    await waitFor(() => about(messages, late.id).includes("network.create.end"), { what: "the late one", limitMs: 20_000 });
    assert.ok(about(messages, early.id).includes("network.create.end"));
  });

  test("miss nothing when the server is killed before it could tell", async () => {
    await nats.kill();
    const network = await create("network", { name: "unsaid" });
    await endOf(server.child, "SIGKILL");
    await nats.restart();
    server = await startServer(nats);
    const messages = follow();
    await waitFor(() => about(messages, network.id).length > 0, { what: "the unsaid one", limitMs: 20_000 });
    assert.deepEqual(about(messages, network.id), ["network.create.end"]);
  });
});

test("without JetStream the server says so once, and tells whoever listens at the time", async (context) => {
  const open = await startTestNats();
  const stateDir = await mkdtemp(join(tmpdir(), "netloom-notify-open-"));
  context.after(async () => {
    await open.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const bus = await open.connectServer();
  const heard: unknown[] = [];
  bus.subscribe("nl.notify.network.create.end", ({ data }) => void heard.push(data));
  await bus.flush();
  const { child, url } = await startServer(open, stateDir);
  let log = "";
  child.stdout?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const { status } = await new RestClient(url).request("POST", "/v2.0/networks", { networks: [{ name: "a" }, { name: "b" }] });
  assert.equal(status, 201);
  await waitFor(() => heard.length === 2, { what: "both networks", limitMs: 20_000 });
  await waitFor(() => log.includes("NATS keeps no notifications"), { what: "the warning", limitMs: 10_000 });
  await endOf(child, "SIGTERM");
  assert.equal(log.split("NATS keeps no notifications").length, 2);
});
