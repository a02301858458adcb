// A primary whose keepalived is killed while nobody else is there to take over: packets go on, and it is the primary again.
import assert from "node:assert/strict";
import { existsSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeepalivedDriver } from "../../../../src/drivers/keepalived/keepalived-driver.ts";
import type { HaPlan } from "../../../../src/drivers/router-ha.ts";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import { findProcesses, readProcess, sendSignal } from "../../../../src/linux/process-table.ts";
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
import { keepPinging } from "../../../helpers/packets.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const advertMs = 300;
const macAddress = "fa:16:3e:00:00:02";

describe("a primary whose keepalived is killed", { skip: skipWithoutRoot }, () => {
  const prefix = randomPrefix();
  const [namespace, client] = [`${prefix}router`, `${prefix}client`];
  const id = routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111");
  const plan: HaPlan = {
    ...{ routerId: id, namespace, device: "ha-1", vrId: 7, priority: 50, announcer: undefined },
    addresses: [{ device: "qr-1", macAddress, cidr: "10.0.0.1/24" }],
    routes: [{ destination: "192.0.2.0/24", nextHops: [{ gateway: "10.0.0.2" }] }],
    settings: [{ name: "net/ipv4/conf/qr-1/arp_ignore", primary: 0, backup: 8 }],
  };
  let directory: TestDirectory;
  let driver: KeepalivedDriver;

  const inside = (...words: readonly string[]): Promise<string> => sh("ip", "netns", "exec", namespace, ...words);
  /** The parent first. */
  const pids = (): readonly number[] =>
    findProcesses(
      ([name = "", ...words]) => name.endsWith("keepalived") && words.some((word) => word.startsWith(directory.path)),
    )
      .map(({ pid }) => pid)
      .toSorted((one, other) => one - other);
  const isElected = async (): Promise<boolean> => (await inside("ip", "addr", "show", "ha-1")).includes("169.254.0.7/24");
  const limit = { limitMs: 30_000, what: "it to be elected" };

  let hold = "";

  before(async () => {
    directory = await createTestDirectory();
    hold = join(directory.path, "l3", "ha", id, "hook.hold");
    driver = new KeepalivedDriver({ stateDir: directory.path, runner: processRunner(), advertMs });
    for (const name of [namespace, client]) await createNamespace(name);
    await sh("ip", "-n", namespace, "link", "add", "ha-1", "type", "veth", "peer", "name", "others");
    await sh("ip", "-n", namespace, "addr", "add", "169.254.192.5/18", "dev", "ha-1");
    for (const device of ["ha-1", "others"]) await sh("ip", "-n", namespace, "link", "set", device, "up");
    await sh("ip", "-n", client, "link", "add", "eth0", "type", "veth", "peer", "name", "qr-1", "netns", namespace);
    await sh("ip", "-n", namespace, "link", "set", "qr-1", "address", macAddress, "up");
    await sh("ip", "-n", client, "addr", "add", "10.0.0.2/24", "dev", "eth0");
    await sh("ip", "-n", client, "link", "set", "eth0", "up");
    await driver.ensure(plan, { isRemade: false });
  });
  after(async () => {
    await driver?.remove(id);
    for (const name of [namespace, client]) await deleteNamespace(name);
    await directory?.remove();
  });

  const victims: Readonly<Record<string, (pids: readonly number[]) => readonly number[]>> = {
    "the process that elects": (all) => all.slice(1),
    "the same a second time within a minute": (all) => all.slice(1),
    "the parent, with which the other one ends in good order": (all) => all.slice(0, 1),
    both: (all) => all,
  };
  for (const [who, choose] of Object.entries(victims)) {
    test(`${who}: no more than one packet of ten a second is lost, until it is elected again`, async () => {
      await waitFor(isElected, limit);
      await waitFor(async () => (await driver.stateOf(id)) === "primary", limit);
      const all = pids();
      assert.equal(all.length, 2);
      const pings = await keepPinging(client, "10.0.0.1", 100);
      // There for about a second, which a busy machine may take for one look.
      let wasHeld = false;
      const watcher = watch(dirname(hold), (_, name) => (wasHeld ||= name === basename(hold)));
      try {
        const chosen = choose(all).map(readProcess);
        assert.ok(chosen.every((one) => one !== undefined));
        // With one of them another may end by itself.
        for (const one of chosen) sendSignal(one, "SIGKILL");
        // As an agent that looks.
        const look = async (): Promise<void> => {
          if (!(await driver.isRunning(id, namespace))) await driver.ensure(plan, { isRemade: false });
        };
        const isHeld = async (): Promise<boolean> => look().then(() => wasHeld);
        await waitFor(isHeld, { ...limit, everyMs: 100, what: "all to be held" });
        const isOver = async (): Promise<boolean> => look().then(async () => !existsSync(hold) && (await isElected()));
        await waitFor(isOver, { ...limit, everyMs: 100 });
        await waitFor(async () => (await driver.ensure(plan, { isRemade: false })) === false, limit);
        const { sent, lost } = await pings.stop();
        assert.ok(lost <= 1, `${lost} of ${sent} lost`);
        assert.ok(sent > 5);
      } finally {
        watcher.close();
        await pings.close();
      }
      assert.equal(await driver.stateOf(id), "primary");
      assert.match(await inside("ip", "route"), /192\.0\.2\.0\/24 via 10\.0\.0\.2/);
    });
  }
});
