import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile, mkdir } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openHealthSocket } from "../../../src/runtime/health-socket.ts";

interface Reply {
  readonly status: number | undefined;
  readonly body: string;
}

function get(socketPath: string, path: string, method = "GET"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    sent.on("error", reject).end();
  });
}

async function opened(t: TestContext, reason?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-health-"));
  const path = join(directory, "run", "agent.sock");
  await mkdir(join(directory, "run"));
  await writeFile(path, "left behind");
  const socket = await openHealthSocket({
    path,
    notReadyReason: () => reason,
    metrics: async () => "netloom_networks 3\n",
    status: () => ({ networks: {} }),
  });
  t.after(async () => {
    await socket.close();
    await rm(directory, { recursive: true });
  });
  return path;
}

test("the socket answers alive, ready, metrics and status, over what a dead program left behind", async (t) => {
  const path = await opened(t);

  assert.deepEqual(await get(path, "/healthz"), { status: 200, body: "ok\n" });
  assert.deepEqual(await get(path, "/readyz"), { status: 200, body: "ready\n" });
  assert.deepEqual(await get(path, "/metrics"), { status: 200, body: "netloom_networks 3\n" });
  assert.deepEqual(await get(path, "/status?x=1"), { status: 200, body: '{"networks":{}}\n' });
});

test("while not ready /readyz says what is missing", async (t) => {
  const path = await opened(t, "no sync yet");

  assert.deepEqual(await get(path, "/readyz"), { status: 503, body: "no sync yet\n" });
  assert.equal((await get(path, "/healthz")).status, 200);
});

test("other paths and methods are refused", async (t) => {
  const path = await opened(t);

  assert.equal((await get(path, "/etc/passwd")).status, 404);
  assert.equal((await get(path, "/healthz", "POST")).status, 405);
});
