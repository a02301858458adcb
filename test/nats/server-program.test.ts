import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RestClient } from "../helpers/rest-client.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

let directory: string;
let nats: TestNats;
const children: ChildProcess[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-server-"));
  nats = await startTestNats([]);
});

after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await nats.close();
  await rm(directory, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  /** The first message to its parent: ready or failed. */
  readonly said: Promise<{ readonly type: string; readonly url?: string; readonly message?: string }>;
  readonly ended: Promise<number | null>;
  /** All of its standard error, when it has ended. */
  readonly errors: Promise<string>;
}

function start(flags: Readonly<Record<string, string>> = {}): Started {
  const settings: Readonly<Record<string, string>> = {
    "state-dir": directory,
    "nats-url": nats.url,
    "nats-nkey-seed-file": nats.credentials.get("server")?.seedFile ?? "",
    listen: "127.0.0.1:0",
    "log-level": "error",
    ...flags,
  };
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const child = fork(launcher, ["server", ...args], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
  children.push(child);
  let errors = "";
  child.stderr?.on("data", (text: Buffer) => {
    errors += text.toString();
  });
  type First = Awaited<Started["said"]>;
  const { promise: said, resolve, reject } = Promise.withResolvers<First>();
  child.once("message", (message: First) => resolve(message));
  // Not "exit": a message may still be on the way then.
  child.once("close", (code, signal) => reject(new Error(`the server ended with ${code ?? signal} without a word: ${errors}`)));
  // It may be a while until the test waits for it.
  said.catch(() => {});
  return {
    child,
    said,
    ended: once(child, "exit").then(([code]) => code),
    errors: once(child.stderr ?? child, "close").then(() => errors),
  };
}

test("a server says when it is ready, answers, and ends in order within five seconds of SIGTERM", async () => {
  const server = start();
  const { type, url = "" } = await server.said;
  const client = new RestClient(url);

  const { status } = await client.request("POST", "/v2.0/networks", { network: { name: "blue" } });
  const askedAt = performance.now();
  server.child.kill("SIGTERM");

  assert.equal(type, "ready");
  assert.equal(status, 201);
  assert.equal(await server.ended, 0);
  assert.ok(performance.now() - askedAt < 5000);
});

test("a server whose parent is gone ends in order", async () => {
  const server = start();
  await server.said;

  server.child.disconnect();

  assert.equal(await server.ended, 0);
});

test("a taken port, an unreachable NATS and a database that cannot be opened are one line and their exit code", async (context) => {
  const squatter = createServer().listen(0, "127.0.0.1");
  context.after(() => squatter.close());
  await once(squatter, "listening");
  const address = squatter.address();
  const port = typeof address === "object" ? address?.port : undefined;

  const attempts = [
    { server: start({ listen: `127.0.0.1:${port}` }), line: new RegExp(`^127\\.0\\.0\\.1:${port} is taken`), code: 5 },
    { server: start({ "nats-url": "nats://127.0.0.1:1" }), line: /^cannot reach NATS at nats:\/\/127\.0\.0\.1:1: /, code: 5 },
    { server: start({ db: `sqlite:${directory}/no/such/directory/x.db` }), line: /^cannot open the database sqlite:/, code: 5 },
    { server: start({ listen: "nonsense" }), line: /must be <address>:<port>/, code: 2 },
  ];

  for (const { server, line, code } of attempts) {
    const { type, message = "" } = await server.said;
    assert.equal(await server.ended, code);
    assert.equal(type, "failed");
    assert.match(message, line);
    assert.equal(await server.errors, `netloom server: ${message}\n`);
  }
});
