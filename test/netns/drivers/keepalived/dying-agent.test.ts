// An agent that is killed while it tells keepalived and its hook of a change: whatever came to pass, the next one completes it.
import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeepalivedDriver } from "../../../../src/drivers/keepalived/keepalived-driver.ts";
import type { HaPlan } from "../../../../src/drivers/router-ha.ts";
import { type CommandRunner, processRunner } from "../../../../src/linux/command-runner.ts";
import { findProcesses, isAlive, type ProcessState, sendSignal } from "../../../../src/linux/process-table.ts";
import { routerId } from "../../../../src/model/ids.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomPrefix,
  sh,
  skipWithoutRoot,
  type TestDirectory,
} from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";
import { workAndDie } from "../../../helpers/work-and-die.ts";

const advertMs = 100;
const macAddress = "fa:16:3e:00:00:02";

describe("an agent that dies while it tells keepalived of a change", { skip: skipWithoutRoot }, () => {
  const namespace = `${randomPrefix()}router`;
  const id = routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111");
  const base: HaPlan = {
    ...{ routerId: id, namespace, device: "ha-1", vrId: 7, priority: 50, announcer: undefined, routes: [] },
    addresses: [{ device: "qr-1", macAddress, cidr: "10.0.0.1/24" }],
    settings: [{ name: "net/ipv4/conf/qr-1/arp_ignore", primary: 0, backup: 8 }],
  };
  /** What keepalived reads differs, and what the hook reads. */
  const other: HaPlan = {
    ...{ ...base, vrId: 8 },
    addresses: [...base.addresses, { device: "qr-1", macAddress, cidr: "10.0.9.1/24" }],
    settings: [{ name: "net/ipv4/conf/qr-1/arp_ignore", primary: 1, backup: 8 }],
  };
  let directory: TestDirectory;

  const inside = (...words: readonly string[]): Promise<string> => sh("ip", "netns", "exec", namespace, ...words);
  const agent = (): KeepalivedDriver => new KeepalivedDriver({ stateDir: directory.path, runner: processRunner(), advertMs });
  const setting = async (): Promise<string> => (await inside("cat", "/proc/sys/net/ipv4/conf/qr-1/arp_ignore")).trim();
  /** As the plan has it, elected and in force. */
  const waitForPlan = async ({ vrId, addresses, settings }: HaPlan): Promise<unknown> =>
    waitFor(
      async () => {
        const text = await inside("ip", "addr");
        const virtual = [...text.matchAll(/inet (169\.254\.0\.\d+)/g)].map(([, address]) => address).join();
        const isThere = addresses.every(({ cidr }) => text.includes(cidr));
        return virtual === `169.254.0.${vrId}` && isThere && (await setting()) === String(settings[0]?.primary);
      },
      { limitMs: 20_000, what: `plan ${vrId}`, everyMs: 50 },
    );

  const ensureAndDie = (plan: HaPlan, dieAt: number): Promise<boolean> =>
    workAndDie({ stateDir: directory.path, advertMs, task: "ensure", plan, dieAt });

  before(async () => {
    directory = await createTestDirectory();
    await createNamespace(namespace);
    for (const device of ["ha-1", "qr-1"]) {
      await sh("ip", "-n", namespace, "link", "add", device, "type", "veth", "peer", "name", `${device}-other`);
      for (const end of [device, `${device}-other`]) await sh("ip", "-n", namespace, "link", "set", end, "up");
    }
    await sh("ip", "-n", namespace, "addr", "add", "169.254.192.5/18", "dev", "ha-1");
  });
  after(async () => {
    await agent().remove(id);
    await deleteNamespace(namespace);
    await directory?.remove();
  });

  test("killed at any step of the first start, the next agent completes it", async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const isDone = await ensureAndDie(base, dieAt);
      await agent().ensure(base, { isRemade: false });

      await waitForPlan(base);
      assert.equal(await agent().ensure(base, { isRemade: false }), false);
      if (isDone) break;
      await wipe();
    }
  });

  /** Quicker than the good order in which keepalived ends. */
  async function killAll(): Promise<void> {
    const own = findProcesses((argv) => argv.some((word) => word.startsWith(directory.path)));
    for (const one of own) sendSignal(one, "SIGKILL");
    await waitFor(() => !own.some(isAlive), { limitMs: 10_000, what: "keepalived to be gone" });
  }

  async function wipe(): Promise<void> {
    await killAll();
    await rm(join(directory.path, "l3"), { recursive: true });
    await inside("ip", "addr", "flush", "dev", "qr-1");
    await inside("ip", "addr", "flush", "dev", "ha-1", "to", "169.254.0.0/24");
  }

  test("what does not start is written anew with the next look, and nothing is taken away before", async () => {
    await agent().ensure(base, { isRemade: false });
    await waitForPlan(base);
    await killAll();
    const refusal: CommandRunner = {
      run: (argv, options) =>
        argv.includes("keepalived")
          ? Promise.resolve({ ...{ exitCode: 1, stdout: "", stderr: "refused" } })
          : processRunner().run(argv, options),
    };
    const failing = new KeepalivedDriver({ stateDir: directory.path, runner: refusal, advertMs });

    await assert.rejects(failing.revive(id, namespace), /no high availability: .*refused/);
    assert.equal(await failing.stateOf(id), "primary");
    assert.match(await inside("ip", "addr"), /10\.0\.0\.1\/24/);
    assert.equal(await failing.revive(id, namespace), "absent");

    await agent().ensure(base, { isRemade: false });
    await waitForPlan(base);
  });

  test("one of which no pid was written is ended before another one starts", async () => {
    await agent().ensure(base, { isRemade: false });
    await waitForPlan(base);
    const conf = join(directory.path, "l3", "ha", id, "conf");
    const own = (): readonly ProcessState[] => findProcesses((argv) => argv.includes(conf));
    const before = own();
    for (const kind of ["pid", "vrrp.pid"]) await rm(join(directory.path, "l3", "ha", id, kind));

    assert.equal(await agent().revive(id, namespace), "started");

    assert.ok(before.length >= 2);
    assert.ok(!before.some(isAlive));
    await waitForPlan(base);
    assert.equal(own().length, 2);
  });

  test("killed at any step of a change, the next agent completes it, and leaves no half-made file", async () => {
    let steps = 0;
    for (let dieAt = 1; ; dieAt += 1) {
      await agent().ensure(base, { isRemade: false });
      await waitForPlan(base);
      const isDone = await ensureAndDie(other, dieAt);
      if (isDone) break;
      steps += 1;

      await agent().ensure(other, { isRemade: false });

      await waitForPlan(other);
      assert.equal(await agent().ensure(other, { isRemade: false }), false);
      const names = await readdir(join(directory.path, "l3", "ha", id));
      assert.deepEqual(
        names.filter((name) => name.startsWith(".")),
        [],
      );
    }
    // Record away, two files, signal, hook, record.
    assert.ok(steps >= 9, `${steps} steps`);
  });

  test("a setting that others changed is found by the next look, set right and told", async () => {
    await agent().ensure(base, { isRemade: false });
    await waitForPlan(base);
    await writeFile(join(directory.path, "l3", "ha-state", `.${id}.new`), "prim");
    await inside("sysctl", "-qw", "net.ipv4.conf.qr-1.arp_ignore=8");

    assert.equal(await agent().ensure(base, { isRemade: false }), true);

    assert.equal(await setting(), "0");
    assert.equal(await agent().ensure(base, { isRemade: false }), false);
    assert.deepEqual(await readdir(join(directory.path, "l3", "ha-state")), [id]);
  });
});
