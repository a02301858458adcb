// The only host of a router of high availability: its keepalived is killed, and so is the agent that starts it again.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KeepalivedDriver } from "../../../../src/drivers/keepalived/keepalived-driver.ts";
import type { NftRouterDriver } from "../../../../src/drivers/nft-router/nft-router-driver.ts";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import { findProcesses, isAlive, type ProcessState, sendSignal } from "../../../../src/linux/process-table.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { keepPinging } from "../../../helpers/packets.ts";
import { makeAddress, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";
import { waitFor } from "../../../helpers/wait-for.ts";
import { workAndDie } from "../../../helpers/work-and-die.ts";

const advertMs = 100;

describe("an agent that dies while it starts a killed keepalived again", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const port = makeInterface([makeAddress("169.254.192.5", "169.254.192.0/18")]);
  const router = makeRouter({ interfaces: [red], isHa: true, ha: { vrId: 7, priority: 50, port } });
  let scene: RouterScene;
  let guest: Guest;

  /** With a memory of its own. */
  const agent = (): NftRouterDriver => {
    const ha = new KeepalivedDriver({ stateDir: scene.directory.path, runner: processRunner(), advertMs });
    return scene.driver({ ha });
  };
  const ownProcesses = (): readonly ProcessState[] =>
    findProcesses((argv) => argv.some((word) => word.startsWith(scene.directory.path)));

  async function killAll(): Promise<void> {
    const all = ownProcesses();
    for (const one of all) sendSignal(one, "SIGKILL");
    await waitFor(() => !all.some(isAlive), { limitMs: 10_000, what: "keepalived to be gone" });
  }

  /** Returns when it forwards, and no later look finds anything to do. */
  async function settle(driver: NftRouterDriver): Promise<void> {
    const isSettled = async (): Promise<boolean> => {
      const { haState, outcome } = await driver.apply(router, { verify: true });
      const isElected = (await scene.inside(router, "addr")).includes("169.254.0.7/24");
      return isElected && haState === "primary" && outcome === "unchanged";
    };
    await waitFor(isSettled, { limitMs: 20_000, what: "it to be the primary" });
  }

  before(async () => {
    scene = await RouterScene.open();
    guest = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    await settle(agent());
  });
  after(async () => {
    await agent().remove(router.id);
    await scene.remove();
  });

  test("killed at any step, the next agent starts it, and it never stops to forward", async () => {
    let steps = 0;
    for (let dieAt = 1; ; dieAt += 1) {
      const pings = await keepPinging(guest.namespace, "10.1.0.1", 100);
      try {
        await killAll();
        const place = { id: router.id, namespace: scene.namespaceOf(router) };
        const isDone = await workAndDie({ stateDir: scene.directory.path, advertMs, task: "revive", ...place, dieAt });

        const next = agent();
        assert.equal((await next.apply(router, { verify: true })).haState, "primary");
        await settle(next);

        const { sent, lost } = await pings.stop();
        assert.ok(lost <= 1, `${lost} of ${sent} lost, killed before step ${dieAt}`);
        if (isDone) break;
        steps += 1;
      } finally {
        await pings.close();
      }
    }
    // The hook, what an earlier one has left twice, the start.
    assert.ok(steps >= 3, `${steps} steps`);
  });
});
