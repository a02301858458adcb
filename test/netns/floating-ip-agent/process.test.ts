// The program itself, with a real nats-server and routers in the kernel; only the server's side is a fake.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { floatingIpItem, forwardingItem, goneItem } from "../../helpers/floating-ip-items.ts";
import { FloatingIpHost } from "../../helpers/floating-ip-host.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { ask, keepPinging, listen, type Listener, type Pinging, silenceS } from "../../helpers/packets.ts";
import { waitFor } from "../../helpers/wait-for.ts";

describe("netloom floating-ip-agent", { skip: skipWithoutRoot }, () => {
  let host: FloatingIpHost;
  const pings: Pinging[] = [];
  const listeners: Listener[] = [];
  beforeEach(async () => {
    host = await FloatingIpHost.create();
  });
  afterEach(async () => {
    for (const one of [...pings.splice(0), ...listeners.splice(0)]) await one.close();
    await host.close();
  });

  test("serves what the server says, reports it, tells of itself, and changes what changes", async () => {
    const rig = await host.addRouter();
    const { routerId } = rig.place;
    const item = floatingIpItem(11, 1, { routerId });
    host.server.commit([item]);
    await host.start();
    await host.waitForTruth(rig);
    assert.equal(await rig.pings(rig.outside, "203.0.113.11"), true);
    await waitFor(() => host.server.statuses["fip 11"] === "ACTIVE 1", { limitMs: 10_000, what: "ACTIVE" });

    const forwarding = forwardingItem(12, 2, { floatingIp: "203.0.113.12", routerId, internalIp: "10.0.0.11" });
    host.server.commit([floatingIpItem(12, 1, { routerId, fixedIp: null, portId: null }), forwarding]);
    await host.waitForTruth(rig);
    host.server.commit([goneItem(item, 2), goneItem(forwarding, 3)]);
    await host.waitForTruth(rig);
    await waitFor(() => host.server.statuses["fip 11"] === "DOWN 2", { limitMs: 10_000, what: "DOWN" });

    const beat = await waitFor(() => host.server.heartbeats.at(-1), { limitMs: 10_000, what: "a heartbeat" });
    assert.deepEqual([beat.agent.agentType, beat.agent.host], ["Floating IP agent", host.host]);
    const status = JSON.parse(await host.page("status"));
    assert.deepEqual([status.phase, status.routers[routerId].state], ["ready", "served"]);
    assert.equal(await host.figure("floating_ips"), 1);
    assert.equal(await host.page("readyz"), "ready\n");
  });

  test("L3-15: its end leaves everything as it is, and the next one changes nothing of it", async () => {
    const rig = await host.addRouter();
    host.server.commit([floatingIpItem(11, 1, { routerId: rig.place.routerId })]);
    await host.start();
    await host.waitForTruth(rig);
    const ping = await keepPinging(rig.outside, "203.0.113.11");
    pings.push(ping);

    await host.end("SIGTERM");
    assert.equal(existsSync(join(host.stateDir, "run", "floating-ip-agent.lock")), false);
    await host.waitForTruth(rig);
    await host.start();

    await host.waitForTruth(rig);
    const { sent, lost } = await ping.stop();
    assert.ok(lost <= 1, `${lost} of ${sent} pings were lost`);
    assert.equal(await host.figure("foreign_changes_total"), 0);
  });

  test("a second one for the same state directory is refused, and disturbs nothing", async () => {
    await host.start();

    const second = host.spawn();
    // Not its exit: what it said may still be on the way then.
    const [code] = await once(second, "close");

    assert.notEqual(code, 0);
    assert.match(host.stderr, /another floating IP agent \(pid \d+\) uses state directory/);
    assert.equal(await host.page("readyz"), "ready\n");
  });

  test("L3-47, L3-67: a router that leaves the host and one that comes are heard of without a word from the server", async () => {
    const rig = await host.addRouter();
    const { place } = rig;
    host.server.commit([floatingIpItem(11, 1, { routerId: place.routerId })]);
    await host.untell(place.routerId);
    await host.start();
    assert.deepEqual(await rig.readElements(), []);

    await host.tell(place);

    await host.waitForTruth(rig);
    await waitFor(() => host.server.statuses["fip 11"] === "ACTIVE 1", { limitMs: 10_000, what: "ACTIVE" });
  });

  test("L3-46, L3-51, L3-52: packets follow an address to its next owner, end with the way out, and begin with the router", async () => {
    const rig = await host.addRouter(2);
    const { place } = rig;
    const { routerId } = place;
    const [one = "", two = ""] = rig.instances;
    const address = "203.0.113.11";
    const [ofOne, ofTwo] = ["80 203.0.113.254", "81 203.0.113.254"];
    listeners.push(await listen(one, "udp:80"), await listen(two, "udp:81"));
    const answers = async (): Promise<readonly string[]> =>
      Promise.all([80, 81].map((port) => ask(rig.outside, "udp", address, port, silenceS)));
    const waitForAnswers = (...wanted: readonly string[]): Promise<unknown> =>
      waitFor(async () => (await answers()).join() === wanted.join(), { limitMs: 30_000, what: wanted.join(" and ") });
    await host.untell(routerId);
    const first = floatingIpItem(11, 1, { routerId, fixedIp: "10.0.0.11" });
    host.server.commit([first]);
    await host.start();
    assert.deepEqual(await answers(), ["nothing", "nothing"]);

    await host.tell(place);
    await waitForAnswers(ofOne, "nothing");
    host.server.commit([goneItem(first, 2), floatingIpItem(12, 3, { routerId, floatingIp: address, fixedIp: "10.0.0.12" })]);
    await waitForAnswers("nothing", ofTwo);

    await host.tell({ ...place, gatewayDevice: null, gatewayPortId: null, gatewayMac: null });
    await waitForAnswers("nothing", "nothing");
  });

  test("while the nats-server is away floating IPs stay, and what was missed comes when it is back", async () => {
    const rig = await host.addRouter();
    const { routerId } = rig.place;
    host.server.commit([floatingIpItem(11, 1, { routerId })]);
    await host.start();
    await host.waitForTruth(rig);

    await host.nats.kill();
    host.server.commit([floatingIpItem(12, 1, { routerId }), goneItem(floatingIpItem(11, 1, { routerId }), 2)], {
      isLost: true,
    });
    assert.equal(await rig.pings(rig.outside, "203.0.113.11"), true);
    await host.nats.restart();

    await host.waitForTruth(rig, 20_000);
    await waitFor(() => host.server.statuses["fip 12"] === "ACTIVE 1", { limitMs: 10_000, what: "ACTIVE" });
  });
});
