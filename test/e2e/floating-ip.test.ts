// Floating IPs and port forwardings as a user makes them: everything is real, from the API to the packets.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { routerNamespaceName } from "../../src/model/device-names.ts";
import { routerId as asRouterId } from "../../src/model/ids.ts";
import { kill } from "../helpers/children.ts";
import { FloatingSite, type SiteInstance, type SiteNetwork } from "../helpers/floating-site.ts";
import { sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { ask, listen, type Listener, silenceS, talk } from "../helpers/packets.ts";
import { waitFor } from "../helpers/wait-for.ts";

describe("floating IPs", { skip: skipWithoutRoot }, () => {
  let site: FloatingSite;
  let network: SiteNetwork;
  let routerId: string;
  let one: SiteInstance;
  let two: SiteInstance;
  const listeners: Listener[] = [];
  const outsideAddress = "203.0.113.254";
  const serve = async (namespace: string, ...ports: readonly string[]): Promise<void> => {
    listeners.push(await listen(namespace, ...ports));
  };
  const eventually = (wish: string, read: () => Promise<string>): Promise<unknown> =>
    waitFor(async () => (await read()) === wish, { limitMs: 20_000, what: wish });

  before(async () => {
    site = await FloatingSite.create();
    network = await site.network("10.1.0.0/24");
    routerId = await site.router(network);
    one = await site.instance("one", network);
    two = await site.instance("two", network);
  });
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close();
  });
  after(() => site?.destroy());

  test("L3-43, L3-54, L3-55, L3-56, L3-57: reached from outside, from the router, from itself and from its neighbour", async () => {
    await serve(one.namespace, "tcp:80");
    await serve(site.outside.namespace, "tcp:80");
    const first = await site.floatingIp(one.portId);
    const second = await site.floatingIp(two.portId);
    const router = routerNamespaceName(site.up.prefix, asRouterId(routerId));

    assert.equal(await ask(site.outside.namespace, "tcp", first.address, 80), `80 ${outsideAddress}`);
    assert.equal(await ask(one.namespace, "tcp", outsideAddress, 80), `80 ${first.address}`);
    assert.equal(await ask(two.namespace, "tcp", first.address, 80), `80 ${second.address}`);
    assert.equal(await ask(one.namespace, "tcp", first.address, 80), `80 ${first.address}`);
    assert.match(await ask(router, "tcp", first.address, 80), /^80 /);

    const agents = await site.client.list("agent", `?host=${site.up.host}`);
    const agent = agents.find((row) => row["agent_type"] === "Floating IP agent");
    assert.deepEqual([agent?.["alive"], agent?.["binary"]], [true, "netloom-floating-ip-agent"]);
    for (const { id } of [first, second]) await site.client.remove("floatingip", id);
  });

  test("L3-44, L3-45, L3-60: mapped anew and taken away, each time the old flows end and others go on", async () => {
    await serve(one.namespace, "tcp:80");
    await serve(two.namespace, "tcp:80");
    const moved = await site.floatingIp(one.portId);
    const flow = talk(site.outside.namespace, moved.address, 80);
    listeners.push(flow);
    assert.equal(await flow.say(), `80 ${outsideAddress}`);

    await site.lead(moved, two.portId);
    assert.equal(await flow.say(silenceS), "nothing");
    const later = talk(site.outside.namespace, moved.address, 80);
    const kept = await site.floatingIp(one.portId);
    const untouched = talk(site.outside.namespace, kept.address, 80);
    listeners.push(later, untouched);
    assert.deepEqual([await later.say(), await untouched.say()], [`80 ${outsideAddress}`, `80 ${outsideAddress}`]);

    await site.lead(moved, null);
    assert.deepEqual([await later.say(silenceS), await untouched.say()], ["nothing", `80 ${outsideAddress}`]);
    assert.equal(await ask(site.outside.namespace, "tcp", moved.address, 80, silenceS), "nothing");
    for (const { id } of [moved, kept]) await site.client.remove("floatingip", id);
  });

  test("L3-47: a floating IP that goes to an instance behind another router is served there", async () => {
    const elsewhere = await site.network("10.2.0.0/24");
    await site.router(elsewhere);
    const guest = await site.instance("guest", elsewhere);
    await serve(one.namespace, "tcp:80");
    await serve(guest.namespace, "tcp:81");
    const floating = await site.floatingIp(one.portId);
    assert.equal(await ask(site.outside.namespace, "tcp", floating.address, 80), `80 ${outsideAddress}`);

    await site.lead(floating, guest.portId);

    await eventually(`81 ${outsideAddress}`, () => ask(site.outside.namespace, "tcp", floating.address, 81));
    assert.equal(await ask(site.outside.namespace, "tcp", floating.address, 80, silenceS), "nothing");
    const router = routerNamespaceName(site.up.prefix, asRouterId(routerId));
    const isGone = async (): Promise<boolean> =>
      !(await sh("ip", "-n", router, "route", "show", "table", "local", "proto", "static")).includes(floating.address);
    await waitFor(isGone, { limitMs: 10_000, what: "the first router to lose it" });
    await site.client.remove("floatingip", floating.id);
  });

  test("L3-63, L3-64, L3-65, L3-69: port forwardings, single and ranges, tcp and udp, changed and removed", async () => {
    await serve(one.namespace, "tcp:80", "udp:80", "tcp:205");
    await serve(two.namespace, "tcp:80");
    const floating = await site.floatingIp();
    const to = (instance: SiteInstance) => ({ internal_port_id: instance.portId, internal_ip_address: instance.address });
    const answer = (kind: "tcp" | "udp", port: number, limitS?: number) => (): Promise<string> =>
      ask(site.outside.namespace, kind, floating.address, port, limitS);

    const single = await site.forward(floating, { protocol: "tcp", external_port: 8080, internal_port: 80, ...to(one) });
    await site.forward(floating, { protocol: "udp", external_port: 8080, internal_port: 80, ...to(one) });
    const ranges = { external_port_range: "9000:9009", internal_port_range: "200:209" };
    await site.forward(floating, { protocol: "tcp", ...ranges, ...to(one) });
    await eventually(`80 ${outsideAddress}`, answer("tcp", 8080));
    await eventually(`80 ${outsideAddress}`, answer("udp", 8080));
    await eventually(`205 ${outsideAddress}`, answer("tcp", 9005));

    const flow = talk(site.outside.namespace, floating.address, 8080);
    listeners.push(flow);
    assert.equal(await flow.say(), `80 ${outsideAddress}`);
    await site.changeForward(floating, single, { ...to(two) });
    await eventually("nothing", () => flow.say(silenceS));
    await eventually(`80 ${outsideAddress}`, answer("tcp", 8080));
    await site.changeForward(floating, single, undefined);
    await eventually("nothing", answer("tcp", 8080, silenceS));
    assert.equal(await answer("udp", 8080)(), `80 ${outsideAddress}`);
    await site.client.remove("floatingip", floating.id);
    await eventually("nothing", answer("udp", 8080, silenceS));
  });

  test("L3-14: a router's namespace that is removed by hand comes back with its floating IPs", async () => {
    await serve(one.namespace, "tcp:80");
    const floating = await site.floatingIp(one.portId);

    await sh("ip", "netns", "del", routerNamespaceName(site.up.prefix, asRouterId(routerId)));

    await waitFor(async () => (await ask(site.outside.namespace, "tcp", floating.address, 80)) === `80 ${outsideAddress}`, {
      ...{ limitMs: 20_000, what: "the floating IP to answer again" },
    });
    await site.client.remove("floatingip", floating.id);
  });

  test("flows go on while the agent is killed, and what changed meanwhile is made so by the next one", async () => {
    await serve(one.namespace, "tcp:80");
    await serve(two.namespace, "tcp:80");
    const [kept, gone] = [await site.floatingIp(one.portId), await site.floatingIp(two.portId)];
    const flow = talk(site.outside.namespace, kept.address, 80);
    listeners.push(flow);
    assert.equal(await flow.say(), `80 ${outsideAddress}`);
    const pid = await site.up.findProgram("floating-ip-agent");

    kill(pid, "SIGKILL");
    await site.client.remove("floatingip", gone.id);

    assert.equal(await flow.say(), `80 ${outsideAddress}`);
    await eventually("nothing", () => ask(site.outside.namespace, "tcp", gone.address, 80, silenceS));
    assert.notEqual(await site.up.findProgram("floating-ip-agent"), pid);
    assert.equal(await flow.say(), `80 ${outsideAddress}`);
    await site.client.remove("floatingip", kept.id);
  });
});
