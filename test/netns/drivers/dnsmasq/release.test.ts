// Leases of clients that lost their address, and what those clients are told: without a message bus, where packets and the
// lease file are all that there is, and with one.
import assert from "node:assert/strict";
import { appendFile, readFile } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "../../../../src/base/logger.ts";
import { NetworkFiles } from "../../../../src/drivers/dnsmasq/network-files.ts";
import { DhcpBench, type DhcpBenchOptions, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient, startDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import type { ProbeRequest } from "../../../helpers/dhcp-probe/child.ts";
import type { DhcpProbe, ProbeAnswer } from "../../../helpers/dhcp-probe/probe.ts";
import { randomMac, sh, skipWithoutRoot, waitForLinkLocal } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

for (const mode of leaseModes)
  describe(`the release of leases with ${mode}`, { skip: skipWithoutRoot }, () => {
    let bench: DhcpBench;
    const create = async (options: DhcpBenchOptions = {}): Promise<DhcpBench> =>
      DhcpBench.create({ leaseMode: mode, ...options });
    let probe: DhcpProbe;

    const ask = async (mac: string, want: "offer" | "lease", timeoutMs = 10_000): Promise<ProbeAnswer> =>
      probe.ask(mac, { want, timeoutMs, everyMs: 100 });
    const silenceMs = 400;

    /** A probe that can also hear what is sent to these addresses. */
    const startProbe = async (...addresses: readonly string[]): Promise<void> => {
      const namespace = await bench.plug(randomMac());
      await sh("ip", "-n", namespace, "route", "add", "255.255.255.255", "dev", "eth0");
      for (const address of addresses) await sh("ip", "-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
      probe = await bench.startProbeIn(namespace);
    };
    const request = async (
      mac: string,
      state: ProbeRequest["state"],
      address: string,
      values: { readonly serverId?: string; readonly timeoutMs?: number } = {},
    ): Promise<string> => {
      const { timeoutMs = silenceMs, ...given } = values;
      const more = state === "renew" ? { serverId: "10.20.0.2", ...given } : given;
      return (await probe.ask(mac, { want: "request", request: { state, address, ...more }, timeoutMs, everyMs: 100 })).answer;
    };
    const leases = async (): Promise<string> => readFile(bench.file("leases"), "utf8");

    afterEach(async () => bench.close());

    test("DA-167: a deleted port hears nothing on DISCOVER, RENEW and INIT-REBOOT, without a signal or a restart", async () => {
      bench = await create();
      const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([gone, kept]);
      await startProbe("10.20.0.5", "10.20.0.6");
      assert.equal((await ask(gone.macAddress, "lease")).address, "10.20.0.5");
      assert.equal((await ask(kept.macAddress, "lease")).address, "10.20.0.6");
      assert.equal(await request(gone.macAddress, "renew", "10.20.0.5", { timeoutMs: 10_000 }), "ack");

      assert.equal(await bench.apply([kept]), "changed");

      assert.equal((await ask(gone.macAddress, "offer", silenceMs)).answer, "none");
      for (const state of ["renew", "rebind", "reboot"] as const)
        assert.equal(await request(gone.macAddress, state, "10.20.0.5"), "none", state);
      assert.equal(await request(kept.macAddress, "renew", "10.20.0.6", { timeoutMs: 10_000 }), "ack");
      assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
    });

    test("DA-168: the address of a deleted port goes to a new one; the old one is refused or hears nothing", async () => {
      bench = await create();
      const old = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([old]);
      await startProbe("10.20.0.5");
      await ask(old.macAddress, "lease");
      await bench.apply([]);
      const heir = makePort(bench.subnets, ["10.20.0.5"], { revision: 2 });
      const pid = await bench.pid();

      assert.equal(await bench.apply([heir]), "reloaded");

      assert.equal((await ask(heir.macAddress, "lease")).address, "10.20.0.5");
      for (const state of ["renew", "rebind", "reboot"] as const)
        assert.notEqual(await request(old.macAddress, state, "10.20.0.5"), "ack", state);
      assert.equal((await ask(old.macAddress, "offer", silenceMs)).answer, "none");
      assert.equal(await bench.pid(), pid);
    });

    test("DA-159: a lease that only the lease file knows is released by the next agent", async () => {
      bench = await create();
      const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([gone, kept]);
      await startProbe();
      await ask(gone.macAddress, "lease");
      // The agent is killed between the new files and the release: as if the release had gone nowhere.
      new NetworkFiles(bench.file("")).addHostDelta([`${gone.macAddress},ignore`]);
      bench.driver = bench.newDriver();
      const pid = await bench.pid();

      await bench.apply([kept]);

      assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
      assert.equal(await bench.pid(), pid);
    });

    test("DA-160: a lease on the agent's own address is released, and its device stays", async () => {
      bench = await create();
      const thief = makePort(bench.subnets, ["10.20.0.7"]);
      await bench.apply([thief]);
      await startProbe();
      await ask(thief.macAddress, "lease");
      const port = makePort(bench.subnets, ["10.20.0.6"]);
      // The address becomes the DHCP port's own.
      const dhcpPort = { ...bench.dhcpPort, fixedIps: makePort(bench.subnets, ["10.20.0.7"]).fixedIps };

      await bench.applyWith(dhcpPort, [port]);

      assert.equal((await ask(port.macAddress, "lease")).serverId, "10.20.0.7");
      assert.doesNotMatch(await leases(), /10\.20\.0\.7 /);
      assert.match(await sh("ip", "-n", bench.namespace, "-br", "addr"), /10\.20\.0\.7/);
    });

    test("DA-162: a lease that stays after three tries is said, and a restart takes it away", async () => {
      const warnings: string[] = [];
      const log = { ...silentLogger, warn: (_fields: unknown, message: string) => warnings.push(message) };
      bench = await create({ log });
      const port = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([port]);
      const pid = await bench.pid();
      bench.driver = bench.newDriver();
      bench.children.length = 0;
      // In the file but not in the server's memory: no packet can take it away.
      await appendFile(bench.file("leases"), "2000000000 fa:16:3e:00:00:99 10.20.0.99 * *\n");

      assert.equal(await bench.apply([port]), "restarted");

      // With a bus packets are the second try.
      assert.equal(bench.children.filter((argv) => argv.includes("perl")).length, mode === "bus" ? 2 : 3);
      assert.deepEqual(warnings, ["leases cannot be released, dnsmasq is restarted"]);
      assert.doesNotMatch(await leases(), /10\.20\.0\.99/);
      assert.notEqual(await bench.pid(), pid);
    });

    test("DA-162: a lease that goes at the first try is not spoken of, and takes no second try", async () => {
      const warnings: string[] = [];
      bench = await create({ log: { ...silentLogger, warn: (_fields: unknown, message: string) => warnings.push(message) } });
      const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      await bench.apply([gone, kept]);
      await startProbe();
      await ask(gone.macAddress, "lease");
      await ask(kept.macAddress, "lease");
      bench.children.length = 0;

      assert.equal(await bench.apply([kept]), "changed");

      assert.deepEqual(warnings, []);
      assert.equal(bench.children.filter((argv) => argv.includes("perl")).length, mode === "bus" ? 0 : 1);
      assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
      assert.match(await leases(), /10\.20\.0\.6 /);
    });

    test("DA-157, DA-161: a DHCPv6 lease is released with the client's own numbers, by no tool and without a restart", async () => {
      const network = makeNetwork();
      const subnets = [
        makeSubnet(network),
        makeSubnet(network, {
          cidr: "2001:db8:5::/64",
          ipVersion: 6,
          gatewayIp: "2001:db8:5::1",
          ipv6AddressMode: "dhcpv6-stateful",
          ipv6RaMode: "dhcpv6-stateful",
        }),
      ];
      bench = await create({ network, subnets, dhcpAddresses: ["10.20.0.2", "2001:db8:5::2"] });
      const port = makePort(subnets, ["10.20.0.5", "2001:db8:5::a"]);
      await bench.apply([port]);
      const instance = await bench.plug(port.macAddress);
      await waitForLinkLocal(instance);
      const six = await runDhcpClient(instance, "eth0", { kind: "dhclient6", limitMs: 12_000 });
      assert.equal(six?.ipAddress, "2001:db8:5::a");
      // Over IPv6 dnsmasq answers first and writes its file then.
      const isWritten = async (): Promise<boolean> => (await leases()).includes("2001:db8:5::a ");
      await waitFor(isWritten, { limitMs: 10_000, what: "the lease in the file" });
      const pid = await bench.pid();
      bench.children.length = 0;

      assert.equal(await bench.apply([]), "changed");

      assert.doesNotMatch(await leases(), /2001:db8:5::a /);
      assert.match(await leases(), /^duid /m);
      assert.equal(await bench.pid(), pid);
      assert.equal(
        bench.children.some((argv) => argv.includes("dhcp_release6")),
        false,
      );
    });

    test("DA-165: renewals that never stop cannot bring back the address of a port that moved", async () => {
      bench = await create();
      const port = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([port]);
      await startProbe("10.20.0.5");
      await ask(port.macAddress, "lease");
      let isOver = false;
      const renewals = (async () => {
        while (!isOver) await request(port.macAddress, "renew", "10.20.0.5", { timeoutMs: 5 });
      })();

      const moved = { ...port, fixedIps: makePort(bench.subnets, ["10.20.0.8"]).fixedIps, revision: 2 };
      await bench.apply([moved]);
      const heir = makePort(bench.subnets, ["10.20.0.5"], { revision: 3 });
      await bench.apply([moved, heir]);
      const heirAnswer = await ask(heir.macAddress, "lease");
      isOver = true;
      await renewals;

      assert.equal(heirAnswer.address, "10.20.0.5");
      assert.equal((await ask(port.macAddress, "lease")).address, "10.20.0.8");
      const text = await leases();
      assert.match(text, new RegExp(`${heir.macAddress} 10\\.20\\.0\\.5 `));
      assert.match(text, new RegExp(`${port.macAddress} 10\\.20\\.0\\.8 `));
    });

    test("DA-174: of two agents on one segment each ignores requests to the other", async () => {
      bench = await create();
      const port = makePort(bench.subnets, ["10.20.0.5"]);
      await bench.apply([port]);
      await startProbe("10.20.0.5");
      const offered = await ask(port.macAddress, "offer");
      assert.equal(offered.serverId, "10.20.0.2");

      assert.equal(await request(port.macAddress, "select", "10.20.0.5", { serverId: "10.20.0.3" }), "none");
      assert.equal(await request(randomMac(), "select", "10.20.0.9", { serverId: "10.20.0.3" }), "none");
      assert.equal(await request(port.macAddress, "select", "10.20.0.5", { serverId: "10.20.0.2", timeoutMs: 10_000 }), "ack");
    });

    test("DA-176: a MAC that no port has gets no OFFER and no NAK, whatever it asks", async () => {
      bench = await create();
      await bench.apply([makePort(bench.subnets, ["10.20.0.5"])]);
      await startProbe("10.20.0.5", "10.20.0.9");
      const stranger = randomMac();

      assert.equal((await ask(stranger, "offer", silenceMs)).answer, "none");
      for (const state of ["rebind", "reboot"] as const) {
        assert.equal(await request(stranger, state, "10.20.0.5"), "none", state);
        assert.equal(await request(stranger, state, "10.20.0.9"), "none", state);
      }
    });

    test("DA-175: after a restart udhcpc and dhclient renew what they have", async () => {
      bench = await create();
      const ports = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
      const [one, other] = ports;
      assert.ok(one !== undefined && other !== undefined);
      await bench.apply(ports);
      const first = await startDhcpClient(await bench.plug(one.macAddress), "eth0");
      const second = await startDhcpClient(await bench.plug(other.macAddress), "eth0", "dhclient");

      assert.equal(await bench.apply(ports, { ...bench.network, mtuBytes: 1400 }), "restarted");

      const [renewed, again] = [await first.renew(), await second.renew()];
      await first.close();
      await second.close();
      assert.equal(renewed?.ipAddress, "10.20.0.5");
      assert.equal(again?.ipAddress, "10.20.0.6");
      assert.deepEqual([renewed.mtuBytes, again.mtuBytes], [1400, 1400]);
    });
  });
