import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readAgentStatus } from "../../../src/cli/agent-status.ts";
import { ApiClient } from "../../../src/cli/api-client.ts";

const id = "b0000000-0000-4000-8000-000000000001";
const networkId = "a0000000-0000-4000-8000-000000000001";
const network = {
  networkId,
  state: "served",
  reason: null,
  ports: 3,
  outcome: "added",
  lastReconcileMs: 2,
  lastReconcileAt: "t",
};
const shown = {
  network_id: networkId,
  ...{ state: "served", reason: null, ports: 3, outcome: "added", last_reconcile_at: "t", last_reconcile_ms: 2 },
};

async function serve(t: TestContext, at: string | number, status: number, body: unknown): Promise<string> {
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === "/status" || request.url === `/v2.0/agents/${id}/status` ? status : 404);
    response.end(JSON.stringify(body));
  });
  server.listen(at);
  t.after(() => server.close());
  await once(server, "listening");
  return typeof at === "string" ? at : `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stateDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-cli-"));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, "run"));
  return directory;
}

const refusal = { NeutronError: { type: "ServiceUnavailable", message: "Agent x cannot be asked.", detail: "" } };

test("the server's answer is taken, wherever the agent is", async (t) => {
  const url = await serve(t, 0, 200, { status: { phase: "syncing", networks: [shown] } });

  const answer = await readAgentStatus(new ApiClient(url), { id, host: "far", stateDir: "/nonexistent" });

  assert.deepEqual(answer, { phase: "syncing", networks: [shown] });
});

test("a server that cannot ask: the agent of this host says the same, that of another is no help", async (t) => {
  const url = await serve(t, 0, 503, refusal);
  const stateDir = await stateDirectory(t);
  await serve(t, join(stateDir, "run", "dhcp-agent.sock"), 200, { host: "near", phase: "ready", networks: [network] });
  const client = new ApiClient(url);

  assert.deepEqual(await readAgentStatus(client, { id, host: "near", stateDir }), {
    phase: "ready",
    networks: [shown],
  });
  assert.deepEqual(await readAgentStatus(client, { id, host: "far", stateDir }), { missing: "Agent x cannot be asked." });
  assert.deepEqual(await readAgentStatus(client, { id, host: "near", stateDir: "/nonexistent" }), {
    missing: "Agent x cannot be asked.",
  });
});
