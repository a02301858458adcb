// What the real dnsmasq does when an agent is told of a change, and whether what the agent calls served is served.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { DhcpAgent } from "../../../src/agent/dhcp-agent.ts";
import type { ReadyPort } from "../../../src/agent/status-reporter.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { NetworkCache } from "../../../src/cache/network-cache.ts";
import type { DhcpOutcome } from "../../../src/drivers/dhcp-driver.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";
import type { Port, Subnet } from "../../../src/model/network.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import { deleteItem, networkItem, portItem, subnetItem } from "../../helpers/agent-items.ts";
import { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import type { DhcpProbe, ProbeAnswer } from "../../helpers/dhcp-probe/probe.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";

const network = makeNetwork();
const one = makeSubnet(network, { dnsNameservers: ["192.0.2.53"] });
const two = makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: "10.30.0.1", dnsNameservers: ["192.0.2.53"] });
const off = (subnet: Subnet): Subnet => ({ ...subnet, enableDhcp: false, revision: 2 });

describe("dnsmasq under an agent", { skip: skipWithoutRoot }, () => {
  const instance = makePort([one], ["10.20.0.5"]);
  const ownPorts: Readonly<Record<"first" | "second" | "both", Port>> = {
    first: makeDhcpPort([one], ["10.20.0.2"]),
    second: makeDhcpPort([two], ["10.30.0.2"]),
    both: makeDhcpPort([one, two], ["10.20.0.2", "10.30.0.2"]),
  };
  let bench: DhcpBench;

  /** One device for all three: the port stays, its addresses change. */
  const refresh = async (subnets: readonly Subnet[], ports: readonly Port[], own: Port): Promise<DhcpOutcome> => {
    const dhcpPort = { ...own, id: ownPorts.both.id, macAddress: ownPorts.both.macAddress };
    const view = makeView(network, subnets, [dhcpPort, ...ports]);
    const device = await bench.devices.setup(view, dhcpPort, { verify: false, metadata: noMetadata });
    return bench.driver.apply({ view, dhcpPort, device, metadata: noMetadata });
  };
  const offer = async (probe: DhcpProbe, mac: string): Promise<ProbeAnswer> =>
    probe.ask(mac, { want: "offer", timeoutMs: 10_000, everyMs: 100 });

  beforeEach(async () => {
    bench = await DhcpBench.create({ network, subnets: [one] });
  });
  afterEach(async () => bench.close());

  test("DA-045: lives on while its subnets stay, and is replaced when one comes", async () => {
    await refresh([one], [instance], ownPorts.first);
    const pid = await bench.pid();

    const renamed = { ...one, dnsNameservers: ["192.0.2.54"], revision: 2 };
    assert.equal(await refresh([renamed], [instance], ownPorts.first), "reloaded");
    assert.equal(await bench.pid(), pid);
    assert.equal(await refresh([renamed, two], [instance], ownPorts.both), "restarted");

    assert.notEqual(await bench.pid(), pid);
  });

  test("DA-046, DA-049: is replaced when DHCP of one of two subnets is switched on or off, or the subnet goes", async () => {
    const other = makePort([two], ["10.30.0.5"]);
    await refresh([one, off(two)], [instance, other], ownPorts.first);
    const probe = await bench.startProbe();
    const pids = [await bench.pid()];

    for (const [subnets, ports, own] of [
      [[one, two], [instance, other], ownPorts.both],
      [[off(one), two], [instance, other], ownPorts.second],
      [[one, two], [instance, other], ownPorts.both],
      [[one], [instance], ownPorts.first],
    ] as const) {
      assert.equal(await refresh(subnets, ports, own), "restarted");
      pids.push(await bench.pid());
    }

    assert.equal(new Set(pids).size, 5);
    assert.equal((await offer(probe, instance.macAddress)).address, "10.20.0.5");
    assert.equal((await probe.ask(other.macAddress, { want: "offer", timeoutMs: 400, everyMs: 100 })).answer, "none");
  });

  test("DA-058: answers from the new address when the agent's own port gets another one", async () => {
    await refresh([one], [instance], ownPorts.first);
    const probe = await bench.startProbe();
    assert.equal((await offer(probe, instance.macAddress)).serverId, "10.20.0.2");

    await refresh([one], [instance], makeDhcpPort([one], ["10.20.0.3"]));

    assert.equal((await offer(probe, instance.macAddress)).serverId, "10.20.0.3");
    assert.equal(await refresh([one], [instance], makeDhcpPort([one], ["10.20.0.3"])), "unchanged");
  });

  test("DA-063: hears nothing of ports that nobody asks an address for", async () => {
    await refresh([one], [instance], ownPorts.first);
    const owners = ["network:router_ha_interface", "network:floatingip", "network:dhcp", "network:distributed"];
    const silent = owners.map((deviceOwner, n) => makePort([one], [`10.20.0.${50 + n}`], { deviceOwner }));
    bench.children.length = 0;

    for (const count of [1, 2, 3, 4]) {
      assert.equal(await refresh([one], [instance, ...silent.slice(0, count)], ownPorts.first), "unchanged", owners[count - 1]);
    }
    assert.equal(await refresh([one], [instance], ownPorts.first), "unchanged");

    assert.deepEqual(bench.children, []);
  });
});

/** An agent whose ports are asked for by one packet each, in the moment in which it calls them served. */
class ProbedAgent {
  readonly bench: DhcpBench;
  readonly own: Port;
  readonly probe: DhcpProbe;
  readonly agent: DhcpAgent;
  readonly #macs = new Map<string, string>();
  readonly #answers = new Map<string, Promise<ProbeAnswer>>();

  private constructor(bench: DhcpBench, own: Port, probe: DhcpProbe) {
    this.bench = bench;
    this.own = own;
    this.probe = probe;
    this.agent = new DhcpAgent({
      ...{
        host: own.bindingHost,
        cache: new NetworkCache({ clock: systemClock }),
        driver: bench.driver,
        deviceManager: bench.devices,
      },
      ...{ concurrency: 2, log: silentLogger, clock: systemClock, timers: systemTimers },
      reporter: { addReadyPorts: (ports) => this.#ask(ports), addEvent: () => {} },
      api: { claimDhcpPort: async () => ({ port: null, fullSubnetIds: [] }), releaseDhcpPort: async () => {} },
    });
  }

  static async create(bench: DhcpBench): Promise<ProbedAgent> {
    const own = { ...bench.dhcpPort, deviceId: bench.devices.getDeviceId(network.id) };
    // The probe needs the network's bridge.
    await bench.devices.setup(makeView(network, [one], [own]), own, { verify: false, metadata: noMetadata });
    return new ProbedAgent(bench, own, await bench.startProbe());
  }

  expect(...ports: readonly Port[]): void {
    for (const port of ports) this.#macs.set(port.id, port.macAddress);
  }

  async put(...ports: readonly Port[]): Promise<void> {
    this.expect(...ports);
    this.agent.applyItems(ports.map((port) => portItem(port)));
    await this.assertAnswered(...ports);
  }

  async assertAnswered(...ports: readonly Port[]): Promise<void> {
    await this.agent.idle();
    for (const port of ports) {
      const answer = await this.#answers.get(`${port.id} ${port.revision}`);
      assert.equal(answer?.address, port.fixedIps[0]?.ipAddress, `port ${port.id} at revision ${port.revision}`);
    }
  }

  #ask(ports: readonly ReadyPort[]): void {
    for (const { id, revision } of ports) {
      const mac = this.#macs.get(id);
      if (mac === undefined) continue;
      this.#answers.set(`${id} ${revision}`, this.probe.ask(mac, { want: "offer", timeoutMs: 10_000, everyMs: 60_000 }));
    }
  }
}

describe("an agent with the real dnsmasq", { skip: skipWithoutRoot }, () => {
  test("DA-074: calls a port served when its first packet is answered", async (t) => {
    const bench = await DhcpBench.create({ network, subnets: [one] });
    const closes = [async (): Promise<void> => bench.close()];
    t.after(async () => {
      for (const close of closes) await close();
    });
    const probed = await ProbedAgent.create(bench);
    const { agent, own, probe } = probed;
    closes.unshift(async () => agent.close());
    const first = makePort([one], ["10.20.0.5"]);
    const extraDhcpOpts = [{ optName: "domain-name", optValue: "red.example", ipVersion: 4 as const }];
    const withOption = makePort([one], ["10.20.0.7"], { extraDhcpOpts });
    const moved = { ...withOption, revision: 2, fixedIps: [{ subnetId: one.id, ipAddress: "10.20.0.8" }] };
    probed.expect(first);
    assert.equal((await probe.ask(first.macAddress, { want: "offer", timeoutMs: 300, everyMs: 100 })).answer, "none");

    agent.applyItems([networkItem(network), subnetItem(one), portItem(own), portItem(first)]);
    agent.onSynced();
    await probed.assertAnswered(first);
    await probed.put(makePort([one], ["10.20.0.6"]));
    await probed.put(...Array.from({ length: 150 }, (_, n) => makePort([one], [`10.20.0.${100 + n}`])));
    agent.applyItems([deleteItem(portItem(first))]);
    await probed.put(makePort([one], ["10.20.0.5"]));
    await probed.put(withOption);
    await probed.put(moved);

    const { outcomes } = agent.journal;
    for (const outcome of ["started", "added", "reloaded"]) assert.ok(outcomes.has(outcome), `no ${outcome}`);
  });
});
