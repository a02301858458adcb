// What interface drivers work with on the host, and what they all do alike.
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../base/errors.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import type { IpBatcher } from "../linux/ip-batcher.ts";
import { hasDevice, ipLine } from "../linux/ip.ts";
import type { NamespaceRunner } from "../linux/namespace-worker.ts";
import type { PluggedTaps } from "./interface-driver.ts";

export interface HostTools {
  readonly runner: CommandRunner;
  readonly worker: NamespaceRunner;
  /** Apart from the worker: a bridge or a tap takes the kernel some 20 ms to remove, for which nothing else should wait. */
  readonly removals: IpBatcher;
}

const vanishLimitMs = 1000;

/** Returns when all are gone. Those whose namespace is gone are waited for: the kernel takes many down at the price of one. */
export async function removeTaps({ removals }: HostTools, { taps, areVanishing = false }: PluggedTaps): Promise<void> {
  const left = (): readonly string[] => taps.filter(hasDevice);
  const endsAt = performance.now() + (areVanishing ? vanishLimitMs : 0);
  while (left().length > 0 && performance.now() < endsAt) await delay(20);
  for (const tap of left()) {
    try {
      await removals.run([ipLine("link", "del", tap)]);
    } catch (error) {
      // It went meanwhile.
      if (hasDevice(tap)) throw new NetloomError("COMMAND_FAILED", `device ${tap} cannot be removed`, { tap }, error);
    }
  }
}
