// Servers and the agents of layer 3 over a real NATS, each with its own user and permissions.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { composeServer, type ServerParts } from "../../src/server/compose.ts";
import { openStore, type Store } from "../../src/server/store/database.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { admin, idOf } from "../helpers/network-services.ts";
import { floatingIpIn, RawL3Agent, routerIn } from "../helpers/raw-l3-agent.ts";
import { RouterSite } from "../helpers/router-site.ts";
import { waitFor } from "../helpers/wait-for.ts";

const host = "node-1.example";
let directory: string;
let nats: TestNats;
let store: Store;
let server: ServerParts;
let site: RouterSite;
let l3: RawL3Agent<"l3">;
let fip: RawL3Agent<"fip">;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-l3-"));
  nats = await startTestNats([
    { role: "l3", host },
    { role: "fip", host },
  ]);
  store = await openStore(`sqlite:${join(directory, "test.db")}`, silentLogger);
  server = await composeServer({
    ...{ store, bus: await nats.connectServer(), clock: systemClock, log: silentLogger },
    ...{ agentsPerNetwork: 1, dnsDomain: "openstacklocal" },
  });
  site = new RouterSite(server.services);
  l3 = new RawL3Agent(await nats.connectAgent("l3", host), "l3", host);
  fip = new RawL3Agent(await nats.connectAgent("fip", host), "fip", host);
});

after(async () => {
  await server?.close();
  await store?.close();
  await nats?.close();
  await rm(directory, { recursive: true, force: true });
});

test("a floating IP goes from the API to the wire and back: registered, told, reported ACTIVE, taken away, DOWN", async () => {
  const [hello] = [await l3.sync(), await fip.sync()];
  assert.deepEqual([hello.mode, hello.items], ["snapshot", []]);
  const { outside, inside, routerId } = await site.joined();
  await l3.heard((item) => item.id === routerId && item.op === "upsert", "the router");
  const revision = (await site.showRouter(routerId))["revision_number"];
  await l3.report({ routers: [{ id: routerId, revision, status: "ACTIVE" }] });
  const portId = await site.portId(inside.networkId);
  const id = idOf(await site.floatingIp(outside.networkId, { port_id: portId }));

  const floating = floatingIpIn(await fip.heard((item) => item.id === id, "the floating IP"));
  const { gateway } = routerIn(l3.items.at(-1));
  assert.equal(floating.gatewayPortId, gateway?.portId);
  await fip.report({ floatingIps: [{ id, revision: floating.revision, status: "ACTIVE" }] });
  assert.equal((await site.services.floatingIps.show(admin, id))["status"], "ACTIVE");

  await site.services.floatingIps.update(admin, id, { port_id: null });
  const gone = await fip.heard((item) => item.op === "delete", "the delete");
  await fip.report({ floatingIps: [{ id, revision: gone.revision, status: "DOWN" }] });
  assert.equal((await site.services.floatingIps.show(admin, id))["status"], "DOWN");
});

test("an agent that has missed events hears so after its heartbeat, and a delta brings it up to date", async () => {
  const { epoch, seq } = await l3.sync();
  l3.beat({ epoch, seq });
  await nats.kill();
  const changed = idOf((await site.services.routers.create(admin, [{ name: "late" }]))[0] ?? {});
  const { subnetId } = await site.internal("10.77.0.0/24");
  await site.add(changed, { subnetId }, admin);
  await nats.restart();

  const delta = await waitFor(() => l3.sync({ epoch, since: seq }), { limitMs: 10_000, what: "an answer after the restart" });

  assert.equal(delta.mode, "delta");
  assert.ok(delta.items.some((item) => item.op === "upsert" && item.id === changed));
});

test("neither agent speaks or hears for the other, or for another host", async () => {
  const other = new RawL3Agent(fip.bus, "l3", host);
  await assert.rejects(other.sync());
  const foreign = new RawL3Agent(l3.bus, "l3", "node-2");
  await assert.rejects(foreign.sync());
  await assert.rejects(foreign.report({ routers: [] }));
  const routerId = await site.router({ external_gateway_info: { network_id: (await site.external()).networkId } });
  await l3.heard((item) => item.id === routerId, "the router");
  assert.deepEqual([other.items, foreign.items], [[], []]);
});
