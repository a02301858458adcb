// Two hosts that serve one network from the start: either answers for the clients of the other when that one is gone.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import type { DhcpOutcome } from "../../../../src/drivers/dhcp-driver.ts";
import type { DnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { isAlive, readProcess } from "../../../../src/linux/process-table.ts";
import type { Port } from "../../../../src/model/network.ts";
import { DhcpBench, type LeaseMode, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import type { ProbeRequest } from "../../../helpers/dhcp-probe/child.ts";
import type { DhcpProbe } from "../../../helpers/dhcp-probe/probe.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";
import { randomMac, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

/** Addresses of the two servers. */
const [one, other] = ["10.20.0.2", "10.20.0.3"];

class Pair {
  readonly clock: FakeClock;
  readonly first: DhcpBench;
  readonly second: DhcpBench;

  private constructor(first: DhcpBench, second: DhcpBench, clock: FakeClock) {
    this.first = first;
    this.second = second;
    this.clock = clock;
  }

  static async create(leaseMode: LeaseMode, options: Partial<DnsmasqOptions> = {}): Promise<Pair> {
    const network = makeNetwork();
    const subnets = [makeSubnet(network)];
    const clock = new FakeClock();
    const common = { network, subnets, leaseMode, options, clock };
    const first = await DhcpBench.create({ ...common, dhcpAddresses: [one] });
    const second = await DhcpBench.create({ ...common, dhcpAddresses: [other] });
    return new Pair(first, second, clock);
  }

  applyFirst(ports: readonly Port[]): Promise<DhcpOutcome> {
    return this.first.apply([this.second.dhcpPort, ...ports]);
  }

  applySecond(ports: readonly Port[]): Promise<DhcpOutcome> {
    return this.second.apply([this.first.dhcpPort, ...ports]);
  }

  async endFirst(): Promise<void> {
    const server = readProcess(await this.first.pid());
    assert.ok(server !== undefined);
    process.kill(server.pid, "SIGKILL");
    await waitFor(() => !isAlive(server), { limitMs: 10_000, what: "the first server's end" });
  }

  /** A probe that can hear what is sent to these addresses. */
  async startProbe(...addresses: readonly string[]): Promise<DhcpProbe> {
    const namespace = await this.second.plug(randomMac());
    await sh("ip", "-n", namespace, "route", "add", "255.255.255.255", "dev", "eth0");
    for (const address of addresses) await sh("ip", "-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
    return this.second.startProbeIn(namespace);
  }

  async close(): Promise<void> {
    await this.second.close();
    await this.first.close();
  }
}

for (const mode of leaseModes)
  describe(`two agents on one network, with ${mode}`, { skip: skipWithoutRoot }, () => {
    let pair: Pair;
    afterEach(async () => pair.close());

    const answer = async (probe: DhcpProbe, port: Port, request: ProbeRequest, timeoutMs = 10_000): Promise<string> => {
      const asked = await probe.ask(port.macAddress, { want: "request", request, timeoutMs, everyMs: 100 });
      return asked.answer;
    };
    const lease = async (probe: DhcpProbe, port: Port, address: string): Promise<void> => {
      assert.equal(await answer(probe, port, { state: "select", address, serverId: one }), "ack", "from the first server");
    };

    test("a client of one that died is answered by the other, whatever it asks", async () => {
      pair = await Pair.create(mode);
      const ports = ["10.20.0.5", "10.20.0.6", "10.20.0.7"].map((address) => makePort(pair.first.subnets, [address]));
      const [renewing = assert.fail(), rebinding = assert.fail(), booting = assert.fail()] = ports;
      await pair.applyFirst(ports);
      await pair.applySecond(ports);
      const probe = await pair.startProbe("10.20.0.5", "10.20.0.6", "10.20.0.7");
      await lease(probe, renewing, "10.20.0.5");
      await lease(probe, rebinding, "10.20.0.6");
      await lease(probe, booting, "10.20.0.7");

      await pair.endFirst();

      assert.equal(await answer(probe, rebinding, { state: "rebind", address: "10.20.0.6" }), "ack");
      assert.equal(await answer(probe, booting, { state: "reboot", address: "10.20.0.7" }), "ack");
      assert.equal(await answer(probe, renewing, { state: "renew", address: "10.20.0.5", serverId: other }), "ack");
      const stranger = makePort(pair.first.subnets, ["10.20.0.9"]);
      const refused = await answer(probe, stranger, { state: "rebind", address: "10.20.0.6" }, 1500);
      assert.equal(refused, "none", "and nobody else");
    });

    test("a port with two addresses keeps the one that it was given", async () => {
      pair = await Pair.create(mode);
      const [subnet = assert.fail()] = pair.first.subnets;
      const port = makePort([subnet, subnet], ["10.20.0.5", "10.20.0.6"]);
      await pair.applyFirst([port]);
      await pair.applySecond([port]);
      const probe = await pair.startProbe("10.20.0.5", "10.20.0.6");
      const { address = "" } = await probe.ask(port.macAddress, { want: "offer", timeoutMs: 10_000, everyMs: 100 });
      await lease(probe, port, address);

      await pair.endFirst();

      assert.equal(await answer(probe, port, { state: "rebind", address }), "ack");
    });

    test("an address that goes to another port is given to that port by both", async () => {
      pair = await Pair.create(mode);
      const before = makePort(pair.first.subnets, ["10.20.0.5"]);
      await pair.applyFirst([before]);
      await pair.applySecond([before]);
      const after = makePort(pair.first.subnets, ["10.20.0.5"]);

      await pair.applyFirst([after]);
      await pair.applySecond([after]);

      const probe = await pair.startProbe();
      await lease(probe, after, "10.20.0.5");
      await pair.endFirst();
      const taken = await probe.ask(after.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });
      assert.deepEqual([taken.answer, taken.address, taken.serverId], ["ack", "10.20.0.5", other]);
    });
  });

describe("two agents on one network, of which one comes later", { skip: skipWithoutRoot }, () => {
  let pair: Pair;
  afterEach(async () => pair.close());

  test("the other is told of ports that came since, while nobody waits, without a restart", async () => {
    pair = await Pair.create("bus");
    await pair.applyFirst([]);
    await pair.applySecond([]);
    const pid = await pair.second.pid();
    const ports = Array.from({ length: 70 }, (_, index) => makePort(pair.first.subnets, [`10.20.0.${index + 10}`]));
    const [port = assert.fail()] = ports;
    await pair.applyFirst(ports);
    assert.equal(await pair.applySecond(ports), "reloaded");
    const leases = async (): Promise<number> =>
      (await readFile(pair.second.file("leases"), "utf8")).split("\n").filter((line) => line.startsWith("0 ")).length;
    assert.equal(await leases(), 0);

    assert.equal(await pair.applySecond(ports), "unchanged");
    assert.equal(await leases(), 64, "some at a time");
    await pair.applySecond(ports);
    assert.equal(await leases(), 64, "and then a rest");
    await pair.clock.advance(20_000);
    await pair.applySecond(ports);
    assert.equal(await leases(), 70);

    const probe = await pair.startProbe("10.20.0.10");
    const request = { state: "rebind", address: "10.20.0.10" } as const;
    await pair.endFirst();
    const { answer } = await probe.ask(port.macAddress, { want: "request", request, timeoutMs: 10_000, everyMs: 100 });
    assert.equal(answer, "ack");
    assert.equal(await pair.second.pid(), pid);
    assert.equal(await leases(), 69, "its lease has the right end now");
  });

  test("one that serves alone takes no lease for granted", async () => {
    pair = await Pair.create("bus");
    const port = makePort(pair.first.subnets, ["10.20.0.5"]);
    await pair.first.apply([port]);
    await pair.first.apply([port]);

    assert.doesNotMatch(await readFile(pair.first.file("leases"), "utf8"), /^0 /m);
  });
});

describe("two agents on one network whose servers may be authoritative", { skip: skipWithoutRoot }, () => {
  let pair: Pair;
  afterEach(async () => pair.close());
  const isAuthoritative = async (bench: DhcpBench): Promise<boolean> =>
    readProcess(await bench.pid())?.argv.includes("--dhcp-authoritative") ?? false;

  test("the second starts when the first is authoritative no more, and not before", async () => {
    pair = await Pair.create("packets", { isAuthoritative: true });
    const port = makePort(pair.first.subnets, ["10.20.0.5"]);
    await pair.first.apply([port]);
    assert.equal(await isAuthoritative(pair.first), true);

    await assert.rejects(pair.applySecond([port]), { code: "UNAVAILABLE", message: /authoritative/ });
    await assert.rejects(pair.second.pid(), { code: "ENOENT" }, "no server was started");

    assert.equal(await pair.applyFirst([port]), "restarted");
    assert.equal(await isAuthoritative(pair.first), false);
    assert.equal(await pair.applySecond([port]), "started");
    assert.equal(await isAuthoritative(pair.second), false);
  });

  test("the one that is left does not become authoritative while it runs, only at its next start", async () => {
    pair = await Pair.create("packets", { isAuthoritative: true });
    const port = makePort(pair.first.subnets, ["10.20.0.5"]);
    await pair.applyFirst([port]);
    const pid = await pair.first.pid();

    assert.equal(await pair.first.apply([port]), "reloaded", "the other is no name server any more");
    pair.first.driver = pair.first.newDriver();
    assert.equal(await pair.first.apply([port]), "unchanged", "nor for the next agent");
    assert.equal(await pair.first.pid(), pid);

    await pair.endFirst();
    await pair.first.apply([port]);
    assert.equal(await isAuthoritative(pair.first), true);
  });
});
