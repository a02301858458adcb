// The life of the dnsmasq of a network: started, found again, replaced, ended; and what is not taken for it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import { isAlive, readProcess } from "../../../../src/linux/process-table.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { deviceNames, randomMac, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

describe("the dnsmasq of a network", { skip: skipWithoutRoot }, () => {
  const benches: DhcpBench[] = [];
  const cleanups: (() => void)[] = [];

  const create = async (options: Parameters<typeof DhcpBench.create>[0] = {}): Promise<DhcpBench> => {
    const bench = await DhcpBench.create(options);
    benches.push(bench);
    return bench;
  };
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) cleanup();
    for (const bench of benches.splice(0)) await bench.close();
  });
  const kill = async (bench: DhcpBench): Promise<void> => {
    const server = readProcess(await bench.pid());
    assert.ok(server !== undefined);
    process.kill(server.pid, "SIGKILL");
    await waitFor(() => !isAlive(server), { limitMs: 10_000, what: "the end of dnsmasq" });
  };

  test("DA-097: has its directory before it starts, open to its user", async () => {
    const modes: number[] = [];
    const inner = processRunner();
    const state: { bench?: DhcpBench } = {};
    const runner: typeof inner = {
      run: async (argv, options) => {
        if (argv.includes("dnsmasq")) modes.push((await stat(state.bench?.file("host.d") ?? "")).mode & 0o777);
        return inner.run(argv, options);
      },
    };
    const bench = await create({ runner });
    state.bench = bench;

    await bench.apply([]);

    assert.deepEqual(modes, [0o755]);
    assert.equal((await stat(bench.file(""))).mode & 0o777, 0o755);
  });

  test("DA-098, DA-102: with other arguments the old one ends before the new one starts; files and leases stay", async () => {
    const bench = await create();
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const old = readProcess(await bench.pid());
    const probe = await bench.startProbe();
    await probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });

    assert.equal(await bench.apply([port], { ...bench.network, mtuBytes: 1400 }), "restarted");

    assert.ok(old !== undefined && !isAlive(old));
    assert.notEqual(await bench.pid(), old.pid);
    assert.match(await readFile(bench.file("leases"), "utf8"), /10\.20\.0\.5/);
  });

  test("DA-099: a first start that fails is repaired by the next attempt; the interface file is written each time", async () => {
    const inner = processRunner();
    const written: string[] = [];
    const state: { bench?: DhcpBench } = {};
    let failures = 1;
    const runner: typeof inner = {
      run: async (argv, options) => {
        if (!argv.includes("dnsmasq") || argv.includes("--version")) return inner.run(argv, options);
        written.push(await readFile(state.bench?.file("interface") ?? "", "utf8"));
        await rm(state.bench?.file("interface") ?? "");
        if (failures-- > 0) return { exitCode: 2, stdout: "", stderr: "dnsmasq: failed to create listening socket" };
        return inner.run(argv, options);
      },
    };
    const bench = await create({ runner });
    state.bench = bench;

    await assert.rejects(bench.apply([]), { code: "COMMAND_FAILED" });
    assert.equal(await bench.apply([]), "started");

    const name = `tap${bench.dhcpPort.id.slice(0, 11)}`;
    assert.deepEqual(written.length, 2);
    assert.equal(written[0], written[1]);
    assert.match(written[0] ?? "", new RegExp(`${bench.dhcpPort.id.slice(0, 10)}|${name}`));
  });

  test("DA-101: one that is dead already is removed with everything of its network", async () => {
    const bench = await create();
    await bench.apply([]);
    await kill(bench);

    await bench.driver.remove(bench.network.id);
    await bench.devices.destroy(bench.network.id);
    await bench.devices.settle();

    assert.equal(existsSync(bench.file("")), false);
    assert.equal(existsSync(`/run/netns/${bench.namespace}`), false);
    assert.deepEqual(await bench.driver.findDead(), []);
  });

  test("DA-103: the server ends first, the directory goes last", async () => {
    const bench = await create();
    await bench.apply([]);
    const server = readProcess(await bench.pid());

    await bench.driver.remove(bench.network.id);

    assert.ok(server !== undefined && !isAlive(server));
    assert.equal(existsSync(`/run/netns/${bench.namespace}`), true, "the device is still there");
    assert.deepEqual(await readdir(bench.file("")), ["device.json"], "what names the device stays as long as the device");
    await bench.devices.destroy(bench.network.id);
    await bench.devices.settle();
    assert.equal(existsSync(bench.file("")), false);
  });

  test("DA-105: the end of one network leaves the other alone", async () => {
    const [one, other] = [await create(), await create()];
    const port = makePort(other.subnets, ["10.20.0.5"]);
    await one.apply([]);
    await other.apply([port]);

    await one.driver.remove(one.network.id);
    await one.devices.destroy(one.network.id);
    await one.devices.settle();

    assert.equal(existsSync(`/run/netns/${other.namespace}`), true);
    assert.equal((await runDhcpClient(await other.plug(port.macAddress), "eth0"))?.ipAddress, "10.20.0.5");
  });

  test("DA-108, DA-111: a device and a namespace that are gone do not stop the removal", async () => {
    const bench = await create();
    await bench.apply([]);
    const names = await deviceNames();
    const tap = [...names].find((name) => name.includes(bench.dhcpPort.id.slice(0, 10)));
    if (tap !== undefined) await sh("ip", "link", "del", tap);
    await sh("ip", "netns", "del", bench.namespace);

    await bench.driver.remove(bench.network.id);
    await bench.devices.destroy(bench.network.id);
    await bench.devices.settle();

    assert.deepEqual(await bench.driver.list(), []);
    assert.deepEqual(await bench.devices.list(), []);
  });

  test("DA-109, DA-154: a lost interface file is written again by the next look", async () => {
    const bench = await create();
    await bench.apply([]);
    const name = await readFile(bench.file("interface"), "utf8");
    await rm(bench.file("interface"));

    assert.equal(await bench.apply([]), "unchanged");

    assert.equal(await readFile(bench.file("interface"), "utf8"), name);
  });

  test("DA-110: garbage in the pid file is nobody, and the server behind it is found and replaced", async () => {
    const bench = await create();
    await bench.apply([]);
    const server = readProcess(await bench.pid());
    await writeFile(bench.file("pid"), "not a pid\n");
    bench.driver = bench.newDriver();

    assert.equal(await bench.apply([]), "started");

    assert.ok(server !== undefined && !isAlive(server));
    assert.ok((await bench.pid()) > 0);
  });

  test("DA-112: one that is killed is found dead and started again; one that was removed is not", async () => {
    const bench = await create();
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    assert.deepEqual(await bench.driver.findDead(), []);
    await kill(bench);
    assert.deepEqual(await bench.driver.findDead(), [bench.network.id]);

    assert.equal(await bench.apply([port]), "started");

    assert.deepEqual(await bench.driver.findDead(), []);
    assert.equal((await runDhcpClient(await bench.plug(port.macAddress), "eth0"))?.ipAddress, "10.20.0.5");
    await bench.driver.remove(bench.network.id);
    assert.deepEqual(await bench.driver.findDead(), []);
  });

  test("DA-112: one that is restarted on purpose is not found dead, however long that takes", async () => {
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const inner = processRunner();
    const state = { starts: 0 };
    const runner: typeof inner = {
      run: async (argv, options) => {
        if (argv.includes("dnsmasq") && (state.starts += 1) === 2) {
          reached.resolve();
          await held.promise;
        }
        return inner.run(argv, options);
      },
    };
    const bench = await create({ runner });
    await bench.apply([]);

    const applied = bench.apply([], { ...bench.network, mtuBytes: 1400 });
    await reached.promise;

    assert.deepEqual(await bench.driver.findDead(), []);
    held.resolve();
    assert.equal(await applied, "restarted");
    assert.deepEqual(await bench.driver.findDead(), []);
  });

  test("DA-115: a process that has the pid and the words but not the program is neither adopted nor ended", async () => {
    const bench = await create();
    await bench.apply([]);
    await kill(bench);
    const stranger = spawn("sleep", ["1000"], { argv0: "dnsmasq", stdio: "ignore" });
    cleanups.push(() => stranger.kill("SIGKILL"));
    const words = spawn("sh", ["-c", "read line", "dnsmasq", `--pid-file=${bench.file("pid")}`], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    cleanups.push(() => words.kill("SIGKILL"));
    await writeFile(bench.file("pid"), `${words.pid}\n`);
    bench.driver = bench.newDriver();

    assert.equal(await bench.apply([]), "started");

    assert.notEqual(await bench.pid(), words.pid);
    assert.equal(words.exitCode ?? words.signalCode, null);
    assert.equal(stranger.exitCode ?? stranger.signalCode, null);
  });

  test("DA-115: a dnsmasq that has the noted pid but another start time is not believed to have read the files", async () => {
    const bench = await create();
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const note = JSON.parse(await readFile(bench.file("state.json"), "utf8")) as { server: { pid: number; startTime: number } };
    note.server.startTime -= 1;
    await writeFile(bench.file("state.json"), JSON.stringify(note));
    bench.driver = bench.newDriver();
    const pid = await bench.pid();

    assert.equal(await bench.apply([port]), "started");

    assert.notEqual(await bench.pid(), pid);
    assert.equal(existsSync(`/proc/${pid}/exe`) && (await readFile(`/proc/${pid}/cmdline`, "utf8")) !== "", false);
  });

  test("DA-166: a port added by a small file is offered at once, without a signal and without a child", async () => {
    const bench = await create();
    const first = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([first]);
    const probe = await bench.startProbe();
    await probe.ask(first.macAddress, { want: "offer", timeoutMs: 10_000, everyMs: 100 });
    bench.children.length = 0;
    const sent: unknown[] = [];
    const original = process.kill.bind(process);
    process.kill = (pid, signal) => {
      sent.push(signal);
      return original(pid, signal);
    };
    cleanups.push(() => {
      process.kill = original;
    });
    const waitedMs: number[] = [];
    const ports = [first];

    for (let n = 6; n < 26; n += 1) {
      const port = makePort(bench.subnets, [`10.20.0.${n}`]);
      ports.push(port);
      assert.equal(await bench.apply(ports), "added");
      const appliedAtNs = process.hrtime.bigint();
      const answer = await probe.ask(port.macAddress, { want: "offer", timeoutMs: 10_000, everyMs: 1 });
      assert.equal(answer.address, `10.20.0.${n}`);
      waitedMs.push(Number(answer.atNs - appliedAtNs) / 1e6);
    }

    assert.deepEqual(bench.children, []);
    assert.deepEqual(sent, []);
    // The quickest of twenty: how busy the machine is says nothing about it.
    assert.ok(Math.min(...waitedMs) <= 5, `${waitedMs.map((ms) => ms.toFixed(1)).join(", ")} ms`);
  });

  test("DA-177: a known MAC gets its fixed address from both clients, a wrong one none in ten seconds", async () => {
    const bench = await create();
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    const [right, wrong] = [await bench.plug(port.macAddress), await bench.plug(randomMac())];

    assert.equal((await runDhcpClient(right, "eth0"))?.ipAddress, "10.20.0.5");
    assert.equal((await runDhcpClient(right, "eth0", { kind: "dhclient" }))?.ipAddress, "10.20.0.5");
    const answers = await Promise.all([
      runDhcpClient(wrong, "eth0", { limitMs: 10_000 }),
      runDhcpClient(wrong, "eth0", { kind: "dhclient", limitMs: 10_000 }),
    ]);
    assert.deepEqual(answers, [undefined, undefined]);
  });

  test("small changes are folded in when nothing has come for half a minute, and not before", async () => {
    const clock = { ms: 1000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
    const bench = await create({ clock });
    const [first, second] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([first]);
    await bench.apply([first, second]);

    clock.ms += 29_000;
    assert.equal(await bench.apply([first, second]), "unchanged");
    clock.ms += 1000;
    assert.equal(await bench.apply([first, second]), "reloaded");
    assert.deepEqual(await readdir(bench.file("host.d")), []);
    clock.ms += 60_000;
    assert.equal(await bench.apply([first, second]), "unchanged");
  });
});
