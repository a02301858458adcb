import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { nkeyAuthenticator, connect, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { readFile } from "node:fs/promises";
import { NetloomError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { connectBus, type NatsBus } from "../../src/messaging/nats-bus.ts";
import {
  agentQueue,
  anyHost,
  askSubject,
  controlSubject,
  eventSubject,
  heartbeatSubject,
  rpcSubject,
  statusSubject,
} from "../../src/messaging/subjects.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { waitFor } from "../helpers/wait-for.ts";

let nats: TestNats;
let server: NatsBus;
let agent: NatsBus;
/** The same agent without our bus in between, to see what the broker says. */
let bare: NatsConnection | undefined;
const violations: string[] = [];

before(async () => {
  nats = await startTestNats([
    { role: "dhcp", host: "node-1" },
    { role: "dhcp", host: "node-2" },
    { role: "l3", host: "node-1" },
  ]);
  server = await nats.connectServer();
  agent = await nats.connectAgent("dhcp", "node-1");
  const seed = (await readFile(nats.credentials.get("dhcp-node-1")?.seedFile ?? "", "utf8")).trim();
  const refused = await connect({
    servers: nats.url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: "_INBOX_dhcp_node-1",
  });
  bare = refused;
  void (async () => {
    for await (const status of refused.status()) {
      if (status.type === "error" && status.error instanceof PermissionViolationError) violations.push(status.error.subject);
    }
  })();
});

after(async () => {
  await bare?.close();
  await nats.close();
});

test("an agent gets its events and control messages, reports, beats and is answered", async () => {
  const got: unknown[] = [];
  const heard: string[] = [];
  agent.subscribe(eventSubject("dhcp", "node-1"), ({ data }) => void got.push(data));
  agent.subscribe(controlSubject("dhcp", "node-1"), ({ data }) => void got.push(data));
  server.subscribe(anyHost.heartbeat, ({ subject }) => void heard.push(subject));
  server.serve(anyHost.rpc("dhcp", "sync"), "srv", async ({ subject }) => ({ subject }));
  server.serve(anyHost.status("dhcp"), "srv", async () => ({}));
  await Promise.all([agent.flush(), server.flush()]);

  server.publish(eventSubject("dhcp", "node-1"), "event");
  server.publish(controlSubject("dhcp", "node-1"), "control");
  agent.publish(heartbeatSubject("dhcp", "node-1"), {});
  const answer = await agent.request(rpcSubject("dhcp", "sync", "node-1"), {}, { timeoutMs: 10_000 });

  assert.deepEqual(answer, { subject: "nl.rpc.dhcp.sync.node-1" });
  assert.deepEqual(await agent.request(statusSubject("dhcp", "node-1"), {}, { timeoutMs: 10_000 }), {});
  await waitFor(() => got.length === 2 && heard.length === 1, { limitMs: 10_000, what: "all messages" });
});

test("the server asks an agent and is answered; nobody else answers or asks", async () => {
  agent.serve(askSubject("dhcp", "state", "node-1"), agentQueue, async () => ({ here: true }));
  await agent.flush();

  assert.deepEqual(await server.request(askSubject("dhcp", "state", "node-1"), {}, { timeoutMs: 10_000 }), { here: true });
  const absent = server.request(askSubject("dhcp", "state", "node-2"), {}, { timeoutMs: 10_000 });
  await assert.rejects(absent, { code: "UNAVAILABLE" });
});

const forbiddenToRead = [
  askSubject("dhcp", "state", "node-2"),
  "nl.ask.>",
  eventSubject("dhcp", "node-2"),
  controlSubject("dhcp", "node-2"),
  eventSubject("l3", "node-1"),
  "nl.>",
  "nl.ev.>",
  "nl.rpc.>",
  "nl.hb.>",
  "_INBOX.>",
  "_INBOX_dhcp_node-2.>",
  "_INBOX_server.>",
  ">",
];

for (const subject of forbiddenToRead) {
  test(`an agent cannot listen on ${subject}`, async () => {
    const { promise, resolve } = Promise.withResolvers<Error | null>();

    bare?.subscribe(subject, { callback: (err) => resolve(err) });

    assert.ok((await promise) instanceof PermissionViolationError);
  });
}

const forbiddenToSay = [
  askSubject("dhcp", "state", "node-1"),
  askSubject("dhcp", "state", "node-2"),
  "_INBOX_server.x",
  rpcSubject("dhcp", "sync", "node-2"),
  rpcSubject("l3", "sync", "node-1"),
  heartbeatSubject("dhcp", "node-2"),
  statusSubject("dhcp", "node-2"),
  eventSubject("dhcp", "node-1"),
  eventSubject("dhcp", "node-2"),
  controlSubject("dhcp", "node-2"),
  "nl.notify.port.create",
  "_INBOX_dhcp_node-2.x",
];

for (const subject of forbiddenToSay) {
  test(`an agent cannot speak on ${subject}`, async () => {
    bare?.publish(subject, "{}");
    await bare?.flush();

    await waitFor(() => violations.includes(subject), { limitMs: 10_000, what: "the broker's refusal" });
  });
}

test("a request in another agent's name fails as FORBIDDEN, not by running out of time", async () => {
  const call = agent.request(rpcSubject("dhcp", "sync", "node-2"), {}, { timeoutMs: 5000 });

  await assert.rejects(call, (thrown) => thrown instanceof NetloomError && thrown.code === "FORBIDDEN");
});

test("without a key, and with a foreign one, nobody gets in", async (context) => {
  const other = await startTestNats([{ role: "dhcp", host: "node-1" }]);
  context.after(() => other.close());
  const base = { url: nats.url, inboxPrefix: "_INBOX_x", name: "x", firstConnectTimeoutMs: 1500, log: silentLogger };
  const isRefused = (thrown: unknown): boolean =>
    thrown instanceof NetloomError &&
    thrown.code === "UNAVAILABLE" &&
    /cannot reach NATS at nats:.*Authorization/i.test(thrown.message);

  const foreign = other.credentials.get("server")?.seedFile ?? "";
  // Both are tried for as long as that.
  await Promise.all([
    assert.rejects(connectBus(base), isRefused),
    assert.rejects(connectBus({ ...base, nkeySeedFile: foreign }), isRefused),
  ]);
});

test("seeds and configuration are for their owner only", async () => {
  const seedFile = nats.credentials.get("server")?.seedFile ?? "";
  const directory = dirname(seedFile);

  const modes = await Promise.all(
    [seedFile, `${directory}/nats-server.conf`, directory].map(async (path) => (await stat(path)).mode & 0o777),
  );

  assert.deepEqual(modes, [0o600, 0o600, 0o700]);
});
