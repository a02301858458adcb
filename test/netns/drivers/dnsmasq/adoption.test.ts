// A driver that has just started, after whatever happened to the one before it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { kill } from "../../../helpers/children.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { startDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { deviceNames, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const offerOptions = { want: "offer", timeoutMs: 10_000, everyMs: 100 } as const;

describe("a driver that finds a network", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;

  const restartAgent = (): void => {
    bench.driver = bench.newDriver();
    bench.devices = bench.newDevices();
    bench.children.length = 0;
  };

  beforeEach(async () => {
    bench = await DhcpBench.create();
  });
  afterEach(async () => bench.close());

  test("DA-024, DA-114: adopts a running server without a child, and its clients renew", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const client = await startDhcpClient(await bench.plug(port.macAddress), "eth0");
    const pid = await bench.pid();
    restartAgent();

    const outcome = await bench.apply([port]);
    const renewed = await client.renew();
    await client.close();

    assert.equal(outcome, "unchanged");
    assert.deepEqual(bench.children, []);
    assert.equal(await bench.pid(), pid);
    assert.equal(renewed?.ipAddress, "10.20.0.5");
  });

  test("adds what came meanwhile, and keeps what came by a small file before", async () => {
    const ports = ["10.20.0.5", "10.20.0.6", "10.20.0.7"].map((address) => makePort(bench.subnets, [address]));
    await bench.apply(ports.slice(0, 1));
    await bench.apply(ports.slice(0, 2));
    const pid = await bench.pid();
    restartAgent();

    assert.equal(await bench.apply(ports), "added");

    const probe = await bench.startProbe();
    for (const port of ports) {
      assert.equal((await probe.ask(port.macAddress, offerOptions)).address, port.fixedIps[0]?.ipAddress);
    }
    assert.equal(await bench.pid(), pid);
  });

  test("takes what went meanwhile out of the running server", async () => {
    const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([gone, kept]);
    const pid = await bench.pid();
    restartAgent();

    assert.equal(await bench.apply([kept]), "changed");

    const probe = await bench.startProbe();
    assert.equal((await probe.ask(gone.macAddress, { ...offerOptions, timeoutMs: 400 })).answer, "none");
    assert.equal(await bench.pid(), pid);
  });

  test("reloads when its predecessor was killed between new files and the signal", async () => {
    const [first, second] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([first]);
    // The files are those of the wish, but the server never heard of them.
    const line = `${second.macAddress},host-10-20-0-6.openstacklocal,10.20.0.6\n`;
    await writeFile(bench.file("state.json"), '{"phase":"changing","isTagged":false}\n');
    await writeFile(bench.file("host"), line);
    restartAgent();

    assert.equal(await bench.apply([second]), "reloaded");

    const probe = await bench.startProbe();
    assert.equal((await probe.ask(second.macAddress, offerOptions)).address, "10.20.0.6");
    assert.equal((await probe.ask(first.macAddress, { ...offerOptions, timeoutMs: 400 })).answer, "none");
  });

  test("reloads when its predecessor was killed after it removed a small file", async () => {
    const [first, second] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([first]);
    await bench.apply([first, second]);
    await writeFile(bench.file("state.json"), '{"phase":"changing","isTagged":false}\n');
    for (const name of await readdir(bench.file("host.d"))) await rm(join(bench.file("host.d"), name));
    restartAgent();

    assert.equal(await bench.apply([first]), "reloaded");

    const probe = await bench.startProbe();
    assert.equal((await probe.ask(second.macAddress, { ...offerOptions, timeoutMs: 400 })).answer, "none");
  });

  test("is not deceived by a pid file that names another process", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const pid = await bench.pid();
    kill(pid, "SIGKILL");
    await waitFor(async () => (await bench.driver.findDead()).includes(bench.network.id), {
      limitMs: 10_000,
      what: "the dead server to be found",
    });
    await writeFile(bench.file("pid"), `${process.pid}\n`);
    restartAgent();

    assert.equal(await bench.apply([port]), "started");

    assert.notEqual(await bench.pid(), process.pid);
    const probe = await bench.startProbe();
    assert.equal((await probe.ask(port.macAddress, offerOptions)).address, "10.20.0.5");
    assert.deepEqual(await bench.driver.findDead(), []);
  });

  test("ends a server whose pid file was lost before it starts another", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const pid = await bench.pid();
    await rm(bench.file("pid"));
    restartAgent();

    assert.equal(await bench.apply([port]), "started");

    assert.equal(existsSync(`/proc/${pid}/ns/net`) && (await sh("cat", `/proc/${pid}/cmdline`)) !== "", false);
  });

  test("keeps the leases of clients over a restart of the server", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const client = await startDhcpClient(await bench.plug(port.macAddress), "eth0");

    assert.equal(await bench.apply([port], { ...bench.network, mtuBytes: 1400 }), "restarted");
    const renewed = await client.renew();
    await client.close();

    assert.equal(renewed?.ipAddress, "10.20.0.5");
    assert.equal(renewed.mtuBytes, 1400);
  });

  test("removes everything of a network that it never set up", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await bench.apply([port, makePort(bench.subnets, ["10.20.0.6"])]);
    const pid = await bench.pid();
    restartAgent();
    assert.deepEqual(await bench.driver.list(), [bench.network.id]);
    assert.deepEqual(await bench.devices.list(), [bench.network.id]);

    await bench.driver.remove(bench.network.id);
    await bench.devices.destroy(bench.network.id);
    await bench.devices.settle();

    assert.deepEqual(await bench.driver.list(), []);
    assert.deepEqual(await bench.devices.list(), []);
    assert.equal(existsSync(bench.file("")), false);
    assert.equal(existsSync(`/run/netns/${bench.namespace}`), false);
    const names = await deviceNames();
    assert.equal(names.has(`brq${bench.network.id.slice(0, 11)}`), false);
    assert.equal(names.has(`tap${bench.dhcpPort.id.slice(0, 11)}`), false);
    assert.equal(existsSync(`/proc/${pid}/ns/net`) && (await sh("cat", `/proc/${pid}/cmdline`)) !== "", false);
  });
});
