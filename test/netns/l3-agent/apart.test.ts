// Two hosts, a plain router on one and one of high availability on both: whose word on them counts, and what a host that no
// server hears goes on with. Real agents, keepalived, packets. The tests share one site and follow each other.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../../helpers/dependent-tests.ts";
import { readAgentPage } from "../../helpers/agent-page.ts";
import type { HaHost } from "../../helpers/ha-host.ts";
import { type HaScene, HaSite } from "../../helpers/ha-site.ts";
import { admin, everything, idOf } from "../../helpers/network-services.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const agents = ["l3-agent", "floating-ip-agent"] as const;
const soon = { limitMs: 30_000, everyMs: 100 };
const noBridge = "bridge ext of the external network does not exist on this host";

type Shown = readonly [status: unknown, reason: unknown];

describe("two hosts of which one fails or is not heard", { skip: skipWithoutRoot }, () => {
  let site: HaSite;
  let scene: HaScene;
  const plain = { id: "", address: "" };
  const ha = { routerId: "", id: "", address: "" };

  failAfterTheFirst();
  before(async () => {
    const silence = { agentDownMs: 6000, failover: { failoverAfterMs: 12_000 } };
    site = await HaSite.open({ advertMs: 1000, agentFlags: ["--fence-after-ms", "7000"], ...silence });
    scene = await site.build({});
    const made = await site.site.floatingIp(scene.externalNetwork, { port_id: scene.guestPort });
    Object.assign(plain, { id: idOf(made), address: String(made["floating_ip_address"]) });
    await buildHa();
    for (const { id } of [plain, ha]) await waitForShown(() => showFloatingIp(id), ["ACTIVE", null]);
  });
  after(() => site?.close());

  async function buildHa(): Promise<void> {
    const { networkId, subnetId } = await site.site.internal("10.7.0.0/24");
    ha.routerId = await site.site.router({ ha: true });
    const networks = await site.services.networks.list(admin, everything);
    await site.wireNew(networks.map(idOf).filter((id) => id !== scene.externalNetwork));
    await site.site.setGateway(ha.routerId, { network_id: scene.externalNetwork });
    await site.site.add(ha.routerId, { subnetId });
    const made = await site.site.floatingIp(scene.externalNetwork, { port_id: await site.site.portId(networkId) });
    Object.assign(ha, { id: idOf(made), address: String(made["floating_ip_address"]) });
    await site.settled(ha.routerId);
  }

  const shownOf = (row: Readonly<Record<string, unknown>>): Shown => [row["status"], row["status_reason"]];
  const showRouter = async (): Promise<Shown> => shownOf(await site.services.routers.show(admin, ha.routerId));
  const showFloatingIp = async (id: string): Promise<Shown> => shownOf(await site.services.floatingIps.show(admin, id));
  const waitForShown = (read: () => Promise<Shown>, wanted: Shown): Promise<unknown> =>
    waitFor(async () => (await read()).join() === wanted.join(), { ...soon, what: `it to be shown as ${wanted.join()}` });

  /** What the L3 agent of a host itself says of a router. */
  const stateAt = async (host: HaHost, router: string): Promise<string> => {
    const { routers } = JSON.parse(await readAgentPage(host.stateDir, "l3-agent", "status")) as {
      readonly routers: Record<string, { readonly state: string }>;
    };
    return routers[router]?.state ?? "absent";
  };
  const waitForState = (host: HaHost, router: string, state: string): Promise<unknown> =>
    waitFor(async () => (await stateAt(host, router)) === state, { ...soon, what: `${router} to be ${state} on ${host.name}` });

  /** Answers of the segment to two questions: two hosts with one address and MAC would give twice as many. */
  const answersFor = async (address: string): Promise<number> => {
    const text = await sh("ip", "netns", "exec", site.outside, "arping", "-b", "-c", "2", "-w", "5", "-I", "eth0", address);
    return Number(/Received (\d+) response/.exec(text)?.[1]);
  };
  const hasRouter = async (host: HaHost, router: string): Promise<boolean> =>
    host.inRouter(router, "true").then(
      () => true,
      () => false,
    );
  /** The host that the plain router is on, and the other one. */
  const readHosts = async (): Promise<readonly [HaHost, HaHost]> => {
    const name = Object.keys(await site.states(scene.routerId)).join();
    const [own, other] = [site.hosts.find((host) => host.name === name), site.hosts.find((host) => host.name !== name)];
    if (own === undefined || other === undefined) throw new Error(`the router is on ${name}`);
    return [own, other];
  };
  const isAlive = async ({ name }: HaHost): Promise<boolean> => {
    const all = await site.services.agents.list(admin, everything);
    return all.filter((agent) => agent["host"] === name).every((agent) => agent["alive"] === true);
  };
  /** What the server hears of a router from an agent that it asks. */
  const askOf = async (host: HaHost, type: string, router: string): Promise<Shown> => {
    const all = await site.services.agents.list(admin, everything);
    const agent = all.find((one) => one["host"] === host.name && one["agent_type"] === type);
    const { routers } = await site.services.agents.status(admin, idOf(agent ?? {}));
    const lines = routers as readonly { readonly router_id: string; readonly state: string; readonly reason: unknown }[];
    const line = lines.find((one) => one.router_id === router);
    return [line?.state, line?.reason];
  };
  const rename = async (host: HaHost, from: string, to: string): Promise<void> => {
    await host.inside("ip", "link", "set", from, "down");
    await host.inside("ip", "link", "set", from, "name", to, "up");
  };

  test("what a backup cannot build is not the router's status; when it takes over it is, with the reason, until it is repaired", async () => {
    const { primary, backup } = await site.settled(ha.routerId);
    await waitForShown(showRouter, ["ACTIVE", null]);

    await rename(backup, "ext", "ext-gone");
    await waitForState(backup, ha.routerId, "failing");
    assert.deepEqual(await askOf(backup, "L3 agent", ha.routerId), ["failing", noBridge]);
    assert.deepEqual(
      [await showRouter(), await showFloatingIp(ha.id)],
      [
        ["ACTIVE", null],
        ["ACTIVE", null],
      ],
    );

    await primary.inRouter(ha.routerId, "sh", "-c", "ip link set $(ip -br link | grep -o '^ha-[^@]*') down");
    await waitForShown(showRouter, ["ERROR", noBridge]);
    assert.equal((await site.states(ha.routerId))[backup.name], "active");
    await rename(backup, "ext-gone", "ext");
    await waitForShown(showRouter, ["ACTIVE", null]);
    await waitForShown(() => showFloatingIp(ha.id), ["ACTIVE", null]);
  });

  test("a floating IP that the kernel does not take is in ERROR with the kernel's reason, and works when it is repaired", async () => {
    const [own] = await readHosts();
    // Else it is repaired at once.
    await own.endAgent("l3-agent", "SIGKILL");

    await own.inRouter(scene.routerId, "nft", "delete", "table", "inet", "netloom");
    const [, reason] = await waitFor(
      async () => {
        const shown = await showFloatingIp(plain.id);
        return shown[0] === "ERROR" ? shown : undefined;
      },
      { ...soon, what: "the floating IP to be in ERROR" },
    );
    assert.match(String(reason), /No such file or directory/);
    const [state, told] = await askOf(own, "Floating IP agent", scene.routerId);
    assert.equal(state, "failing");
    assert.match(String(told), /No such file or directory/);

    await own.startAgent("l3-agent");
    await waitForShown(() => showFloatingIp(plain.id), ["ACTIVE", null]);
    await site.pings(site.outside, plain.address);
  });

  test("a host that no server hears gives up its plain router and not the other kind; the outside reaches the next host only", async () => {
    const [own, other] = await readHosts();
    await site.settled(ha.routerId);
    assert.equal(await answersFor(plain.address), 2);

    await own.setConnected(false);

    await waitFor(async () => !(await hasRouter(own, scene.routerId)), { ...soon, what: "the host to give up its router" });
    await waitForState(own, scene.routerId, "fenced");
    await waitFor(() => hasRouter(other, scene.routerId), { ...soon, what: "the router on the other host" });
    await site.pings(site.outside, plain.address);
    await waitForShown(() => showFloatingIp(plain.id), ["ACTIVE", null]);
    assert.equal(await answersFor(plain.address), 2);
    assert.equal(await hasRouter(own, ha.routerId), true);
    assert.equal(await answersFor(ha.address), 2);

    await own.setConnected(true);
    await waitFor(() => isAlive(own), { ...soon, what: "the host to be heard again" });
    await waitForState(own, scene.routerId, "absent");
    assert.equal(await answersFor(plain.address), 2);
    assert.deepEqual(await showFloatingIp(plain.id), ["ACTIVE", null]);
  });

  test("a host that nobody could follow puts back what it gave up when it is heard again", async () => {
    const [own, other] = await readHosts();
    for (const agent of agents) await other.endAgent(agent, "SIGKILL");

    await own.setConnected(false);
    await waitFor(async () => !(await hasRouter(own, scene.routerId)), { ...soon, what: "the host to give up its router" });
    await own.setConnected(true);

    await site.pings(site.outside, plain.address, 30_000);
    await waitForState(own, scene.routerId, "served");
    assert.deepEqual((await readHosts())[0], own);
  });
});
