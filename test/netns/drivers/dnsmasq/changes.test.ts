// What dnsmasq answers after each kind of change, and what the change cost it.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { DhcpBench, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import type { DhcpProbe, ProbeAnswer } from "../../../helpers/dhcp-probe/probe.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";

for (const mode of leaseModes)
  describe(`a change of a served network, leases with ${mode}`, { skip: skipWithoutRoot }, () => {
    let bench: DhcpBench;
    let probe: DhcpProbe;

    const offer = async (mac: string): Promise<ProbeAnswer> =>
      probe.ask(mac, { want: "offer", timeoutMs: 10_000, everyMs: 100 });
    const silence = async (mac: string): Promise<string> =>
      (await probe.ask(mac, { want: "offer", timeoutMs: 400, everyMs: 100 })).answer;
    const lease = async (mac: string): Promise<ProbeAnswer> =>
      probe.ask(mac, { want: "lease", timeoutMs: 10_000, everyMs: 100 });

    beforeEach(async () => {
      bench = await DhcpBench.create({ leaseMode: mode });
    });
    afterEach(async () => bench.close());

    test("a port that is added is offered its address at once, without a child and without a reload", async () => {
      const [first, second] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([first]);
      probe = await bench.startProbe();
      const base = await readFile(bench.file("host"), "utf8");
      const pid = await bench.pid();
      bench.children.length = 0;

      const outcome = await bench.apply([first, second]);

      assert.equal(outcome, "added");
      assert.equal((await offer(second.macAddress)).address, "10.20.0.6");
      assert.deepEqual(bench.children, []);
      assert.equal(await readFile(bench.file("host"), "utf8"), base);
      assert.equal((await readdir(bench.file("host.d"))).length, 1);
      assert.equal(await bench.pid(), pid);
    });

    test("the same value again changes nothing", async () => {
      const ports = [makePort(bench.subnets, ["10.20.0.5"])];
      await bench.apply(ports);
      bench.children.length = 0;

      assert.equal(await bench.apply(ports), "unchanged");
      assert.deepEqual(bench.children, []);
    });

    test("a port that is deleted gets no answer and loses its lease; its neighbour keeps both", async () => {
      const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([gone, kept]);
      probe = await bench.startProbe();
      await lease(gone.macAddress);
      await lease(kept.macAddress);
      const pid = await bench.pid();

      const outcome = await bench.apply([kept]);

      assert.equal(outcome, "changed");
      assert.equal(await silence(gone.macAddress), "none");
      assert.equal((await offer(kept.macAddress)).address, "10.20.0.6");
      const leases = await readFile(bench.file("leases"), "utf8");
      assert.match(leases, /10\.20\.0\.6/);
      assert.doesNotMatch(leases, /10\.20\.0\.5/);
      assert.equal(await bench.pid(), pid);
    });

    test("DA-168: an address that a leased port left goes to its new owner at once", async () => {
      const old = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([old]);
      probe = await bench.startProbe();
      assert.equal((await lease(old.macAddress)).answer, "ack");
      const heir = makePort(bench.subnets, ["10.20.0.5"], { revision: 2 });
      const pid = await bench.pid();

      assert.equal(await bench.apply([heir]), "reloaded");

      assert.equal((await lease(heir.macAddress)).address, "10.20.0.5");
      assert.equal(await silence(old.macAddress), "none");
      assert.equal(await bench.pid(), pid);
    });

    test("DA-169: two leased ports that swap their addresses both get the new one", async () => {
      const [one, other] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([one, other]);
      probe = await bench.startProbe();
      await lease(one.macAddress);
      await lease(other.macAddress);

      await bench.apply([
        { ...one, fixedIps: other.fixedIps, revision: 2 },
        { ...other, fixedIps: one.fixedIps, revision: 2 },
      ]);

      assert.equal((await lease(one.macAddress)).address, "10.20.0.6");
      assert.equal((await lease(other.macAddress)).address, "10.20.0.5");
    });

    test("DA-172: an option that changes or goes is told by a reload, an MTU by a restart", async () => {
      const port = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([port]);
      probe = await bench.startProbe();

      const withOption = {
        ...port,
        extraDhcpOpts: [{ optName: "domain-name", optValue: "red.example", ipVersion: 4 as const }],
      };
      assert.equal(await bench.apply([withOption]), "reloaded");
      assert.equal((await offer(port.macAddress)).domain, "red.example");
      // It has answered a client whose line sets a tag: it would not live through a signal.
      assert.equal(await bench.apply([port]), "restarted");
      assert.equal((await offer(port.macAddress)).domain, "openstacklocal");
      assert.equal(await bench.apply([withOption]), "reloaded");

      assert.equal(await bench.apply([withOption], { ...bench.network, mtuBytes: 1400 }), "restarted");
      assert.equal((await offer(port.macAddress)).mtu, 1400);
    });

    test("a port whose text cannot be written is left out and named; the others are served", async () => {
      const good = makePort(bench.subnets, ["10.20.0.5"]);
      const bad = makePort(bench.subnets, ["10.20.0.6"], { dnsName: "x\ndhcp-script=/bin/evil" });

      await assert.rejects(bench.apply([good, bad]), (error: { code?: string; message: string }) => {
        return error.code === "INVALID" && error.message.includes(bad.id);
      });

      probe = await bench.startProbe();
      assert.equal((await offer(good.macAddress)).address, "10.20.0.5");
      assert.equal(await silence(bad.macAddress), "none");
    });

    test("of two ports that claim one address the newer revision gets it", async () => {
      const older = makePort(bench.subnets, ["10.20.0.5"], { revision: 3 });
      const newer = makePort(bench.subnets, ["10.20.0.5"], { revision: 4 });
      await bench.apply([older, newer]);
      probe = await bench.startProbe();

      assert.equal((await offer(newer.macAddress)).address, "10.20.0.5");
      assert.equal(await silence(older.macAddress), "none");
    });
  });
