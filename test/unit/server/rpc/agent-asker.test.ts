import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { agentQueue, askSubject } from "../../../../src/messaging/subjects.ts";
import { agentAsker } from "../../../../src/server/rpc/agent-asker.ts";
import { FakeHub } from "../../../helpers/fake-bus.ts";

const node = { role: "dhcp", host: "node-1" } as const;
const subject = askSubject("dhcp", "state", "node-1");
const state = { host: "node-1", phase: "ready", networks: [], hasMore: false };

function wire(answer?: () => Promise<unknown>) {
  const hub = new FakeHub();
  const bus = hub.connect();
  if (answer !== undefined) hub.connect().serve(subject, agentQueue, answer);
  return { bus, ask: agentAsker(bus, 20) };
}

test("an agent's answer is checked and handed on", async () => {
  assert.deepEqual(await wire(async () => state).ask(node, {}), state);
  assert.equal(await wire(async () => ({ host: 7 })).ask(node, {}), "confused");
});

test("why an agent does not answer is told apart", async () => {
  const fail = async (): Promise<never> => Promise.reject(new NetloomError("INVALID", "no"));
  const cut = wire(async () => state);
  const forbidden = wire(async () => state);
  cut.bus.disconnect();
  forbidden.bus.failCall(1, new NetloomError("FORBIDDEN", "not allowed"));

  assert.equal(await wire().ask(node, {}), "absent");
  assert.equal(await wire(() => new Promise(() => {})).ask(node, {}), "silent");
  assert.equal(await wire(fail).ask(node, {}), "confused");
  assert.equal(await cut.ask(node, {}), "disconnected");
  assert.equal(await forbidden.ask(node, {}), "forbidden");
});

test("agents of routers and of floating IPs are asked by their own names, and answer with routers", async () => {
  const hub = new FakeHub();
  const routers = { host: "node-1", phase: "ready", routers: [], hasMore: false };
  for (const role of ["l3", "fip"] as const)
    hub.connect().serve(askSubject(role, "state", "node-1"), agentQueue, async () => routers);
  const ask = agentAsker(hub.connect(), 20);

  assert.deepEqual(await ask({ role: "l3", host: "node-1" }, {}), routers);
  assert.deepEqual(await ask({ role: "fip", host: "node-1" }, {}), routers);
  assert.equal(await wire(async () => routers).ask(node, {}), "confused");
});
