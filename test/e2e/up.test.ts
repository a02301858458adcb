// `netloom up` and `netloom down` as a person uses and abuses them: real programs, a real DHCP client.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { suite, test, type TestContext } from "node:test";
import { startDhcpClient } from "../helpers/dhcp-client.ts";
import { createInstance, findDaemonsOf, findProcessesOf } from "../helpers/instance.ts";
import { deviceNames, sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp, netloom } from "../helpers/netloom-up.ts";
import { waitFor } from "../helpers/wait-for.ts";

async function createUp(context: TestContext): Promise<NetloomUp> {
  const up = await NetloomUp.create();
  context.after(() => up.destroy());
  return up;
}

async function killAndWait(pid: number | undefined): Promise<void> {
  assert.ok(pid !== undefined, "the program does not run");
  process.kill(pid, "SIGKILL");
  await waitFor(() => !existsSync(`/proc/${pid}`), { limitMs: 10_000, what: `process ${pid} to be gone` });
}

suite("netloom up", { skip: skipWithoutRoot }, () => {
  test("the data plane outlives up, is adopted by the next one, and goes with down", async (context) => {
    const up = await createUp(context);
    await up.start();
    const instance = await createInstance(up, "one");
    context.after(() => instance.remove());
    const client = await startDhcpClient(instance.namespace, "eth0");
    context.after(() => client.close());
    const daemons = await findDaemonsOf(up.stateDir);
    const buses = await findProcessesOf(up.stateDir, "dbus-daemon");
    assert.equal(buses.length, 1, "not exactly one lease bus runs");
    assert.ok(daemons.length > 1, "no dnsmasq runs");

    const stoppedAt = performance.now();
    assert.equal(await up.stop(), 0);
    assert.ok(performance.now() - stoppedAt < 5000, "SIGTERM took longer than 5 s");
    assert.deepEqual(
      await findProcessesOf(up.stateDir),
      daemons,
      "something else than dnsmasq and its bus still runs, or they do not",
    );
    assert.equal((await client.renew())?.ipAddress, client.answer.ipAddress, "the lease was not renewed without netloom");

    await up.start();
    assert.deepEqual(await findDaemonsOf(up.stateDir), daemons, "dnsmasq or the lease bus was not adopted");

    const down = await up.down();
    assert.equal(down.exitCode, 0, down.stderr);
    assert.deepEqual(await findProcessesOf(up.stateDir), []);
    assert.equal(existsSync(up.stateDir), false, "the state directory is still there");
    const namespaces = await sh("ip", "netns", "list");
    assert.doesNotMatch(namespaces, new RegExp(`${up.prefix}qdhcp`));
    const part = instance.network.id.slice(0, 11);
    const left = [...(await deviceNames())].filter(
      (name) => name.includes(part) || name.includes(instance.port.id.slice(0, 11)),
    );
    assert.deepEqual(left, []);

    const again = await up.down();
    assert.equal(again.exitCode, 0, again.stderr);
    assert.match(again.stdout, /nothing to remove/);
  });

  test("down ends a running up first, and with --keep-data the next up knows the networks", async (context) => {
    const up = await createUp(context);
    await up.start();
    const client = up.client();
    const network = await client.create("network", { name: "kept" });
    client.close();

    const down = await netloom(["down", "--state-dir", up.stateDir, "--keep-data"]);
    assert.equal(down.exitCode, 0, down.stderr);
    assert.deepEqual(await findProcessesOf(up.stateDir), []);
    await up.start();

    const after = up.client();
    assert.equal((await after.show("network", network.id))["name"], "kept");
    after.close();
  });

  test("a second up says who holds the state directory, and changes nothing", async (context) => {
    const up = await createUp(context);
    await up.start();
    const before = await findProcessesOf(up.stateDir);

    const second = await netloom(up.arguments);

    assert.equal(second.exitCode, 4);
    assert.equal(second.stdout, "");
    assert.match(second.stderr, new RegExp(`^netloom up: .*is held by netloom with pid ${up.pid} since \\d{4}-.*\\n$`));
    assert.deepEqual(await findProcessesOf(up.stateDir), before);
  });

  test("kill -9 of up leaves no program but the data plane, and the next up takes over", async (context) => {
    const up = await createUp(context);
    await up.start();
    const instance = await createInstance(up, "two");
    context.after(() => instance.remove());
    const daemons = await findDaemonsOf(up.stateDir);

    await up.signal("SIGKILL");
    await waitFor(async () => (await findProcessesOf(up.stateDir)).length === daemons.length, {
      limitMs: 10_000,
      what: "all programs to end with their parent",
    });
    assert.deepEqual(await findProcessesOf(up.stateDir), daemons);

    await up.start();
    assert.deepEqual(await findDaemonsOf(up.stateDir), daemons);
  });

  test("up killed and started again at once ends what the killed one left", async (context) => {
    const up = await createUp(context);
    await up.start();

    await up.signal("SIGKILL");
    await up.start();

    const client = up.client();
    assert.equal((await client.list("agent")).length, 3);
    client.close();
    for (const program of ["server", "dhcp-agent", "l3-agent", "floating-ip-agent", "nats-server"]) {
      assert.equal((await findProcessesOf(up.stateDir, program)).length, 1, `not exactly one ${program}`);
    }
  });

  test("a program that crashes is started again, and the others stay", async (context) => {
    const up = await createUp(context);
    await up.start();
    const client = up.client();
    context.after(() => client.close());
    const programs = ["server", "dhcp-agent", "l3-agent", "floating-ip-agent", "nats-server"] as const;
    for (const program of programs) {
      const others = await Promise.all(programs.filter((one) => one !== program).map((one) => up.findProgram(one)));
      const killed = await up.findProgram(program);

      await killAndWait(killed);
      await waitFor(async () => (await up.findProgram(program)) !== undefined, { limitMs: 10_000, what: `a new ${program}` });

      const now = await Promise.all(programs.filter((one) => one !== program).map((one) => up.findProgram(one)));
      assert.deepEqual(now, others, `${program} took another program with it`);
    }
    const network = await waitFor(() => client.create("network", { name: "after" }), { limitMs: 10_000, what: "the API" });
    await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.78.0.0/24" });
    const port = await client.create("port", { network_id: network.id });
    await waitFor(async () => (await client.show("port", port.id))["status"] === "ACTIVE", {
      limitMs: 20_000,
      what: "port ACTIVE",
    });
  });

  test("only up writes to standard output, and its programs' logs are JSON lines in files", async (context) => {
    const up = await createUp(context);
    await up.start();
    await up.stop();

    for (const program of ["server", "dhcp-agent"]) {
      const text = await readFile(`${up.stateDir}/log/${program}.log`, "utf8");
      for (const line of text.trim().split("\n")) assert.equal(typeof JSON.parse(line), "object");
    }
    assert.match(up.stdout, /^netloom is ready: http:\/\/127\.0\.0\.1:\d+\n$/);
  });
});
