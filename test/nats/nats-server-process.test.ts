import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { NetloomError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { connectBus } from "../../src/messaging/nats-bus.ts";
import { endOrphanedNatsServer, type NatsServerProcess, startNatsServer } from "../../src/messaging/nats-server-process.ts";
import { freePort } from "../helpers/free-port.ts";
import { waitFor } from "../helpers/wait-for.ts";

let directory: string;
let configFile: string;
let running: NatsServerProcess[] = [];

const start = async (): Promise<NatsServerProcess> => {
  const started = await startNatsServer({ directory, configFile, log: silentLogger });
  running.push(started);
  return started;
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-nats-"));
  configFile = join(directory, "nats.conf");
  await writeFile(configFile, 'listen: "127.0.0.1:-1"\n');
  // One that nobody else takes between an end and the next start.
  await writeFile(join(directory, "nats-server.port"), `${await freePort()}\n`);
});

afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
  await rm(directory, { recursive: true, force: true });
});

test("a second start ends the orphan of the first and keeps its port", async () => {
  const first = await start();

  const second = await start();

  assert.equal(second.url, first.url);
  assert.notEqual(second.pid, first.pid);
  assert.equal(first.child.exitCode ?? first.child.signalCode, 1);
});

test("a pid file that names somebody else's process ends nobody", async () => {
  const pidFile = join(directory, "nats-server.pid");
  for (const text of [JSON.stringify({ pid: process.pid, startTime: "1" }), "nonsense", JSON.stringify({ pid: -1 })]) {
    await writeFile(pidFile, text);

    await endOrphanedNatsServer({ directory, configFile });

    assert.equal(existsSync(pidFile), false);
  }
});

test("a port that somebody else has taken meanwhile is replaced by a free one", async () => {
  const first = await start();
  const port = Number(new URL(first.url).port);
  await first.stop();
  const squatter = createServer().listen(port, "127.0.0.1");
  await once(squatter, "listening");

  const second = await start();

  assert.notEqual(second.url, first.url);
  assert.equal((await readFile(join(directory, "nats-server.port"), "utf8")).trim(), new URL(second.url).port);
  squatter.close();
});

test("a configuration that it does not take is one line with the reason", async () => {
  await writeFile(configFile, "listen: {{{\n");

  await assert.rejects(start(), (thrown) => {
    assert.ok(thrown instanceof NetloomError);
    assert.match(thrown.message, /^nats-server ended with 1: nats-server: Parse error on line 2/);
    return true;
  });
  assert.equal(existsSync(join(directory, "nats-server.pid")), false);
});

test("stop ends it and removes the pid file", async () => {
  const server = await start();

  await server.stop();

  await waitFor(() => !existsSync(`/proc/${server.pid}`), { limitMs: 10_000, what: "the process to be gone" });
  assert.equal(existsSync(join(directory, "nats-server.pid")), false);
});

test("a server that is not there is named in one line after the limit", async () => {
  const call = connectBus({
    url: "nats://127.0.0.1:1",
    inboxPrefix: "_INBOX_x",
    name: "x",
    firstConnectTimeoutMs: 250,
    log: silentLogger,
  });

  await assert.rejects(call, (thrown) => {
    assert.ok(thrown instanceof NetloomError);
    assert.equal(thrown.code, "UNAVAILABLE");
    assert.match(thrown.message, /^cannot reach NATS at nats:\/\/127\.0\.0\.1:1: \S/);
    return true;
  });
});
