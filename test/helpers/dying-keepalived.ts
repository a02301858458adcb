// The driver of keepalived in a process of its own that is killed just before its n-th change to the host: a file written, renamed
// or removed, a signal sent, a tool started. Every one of them is a place where an agent can die.
import { createRequire, syncBuiltinESMExports } from "node:module";
import type { HaPlan } from "../../src/drivers/router-ha.ts";
import type { RouterId } from "../../src/model/ids.ts";

export type DyingKeepalivedOrder = {
  readonly stateDir: string;
  readonly advertMs: number;
  /** 1: before the first change. */
  readonly dieAt: number;
} & DyingTask;

export type DyingTask =
  | { readonly task: "ensure"; readonly plan: HaPlan }
  | { readonly task: "revive"; readonly id: RouterId; readonly namespace: string };

process.once("message", (order: DyingKeepalivedOrder) => {
  void workAndDie(order);
});

async function workAndDie(order: DyingKeepalivedOrder): Promise<void> {
  const { stateDir, advertMs, dieAt } = order;
  let steps = 0;
  const step = (): void => {
    steps += 1;
    if (steps === dieAt) process.kill(process.pid, "SIGKILL");
  };
  countFiles(step);
  const kill = process.kill.bind(process);
  process.kill = (pid, signal) => {
    if (pid !== process.pid) step();
    return kill(pid, signal);
  };
  // Only now, so that they import what has been replaced.
  const { KeepalivedDriver } = await import("../../src/drivers/keepalived/keepalived-driver.ts");
  const { processRunner } = await import("../../src/linux/command-runner.ts");
  const inner = processRunner();
  const runner: typeof inner = {
    run: (argv, options) => {
      step();
      return inner.run(argv, options);
    },
  };
  const driver = new KeepalivedDriver({ stateDir, advertMs, runner });
  if (order.task === "ensure") await driver.ensure(order.plan, { isRemade: false });
  else await driver.revive(order.id, order.namespace);
  process.send?.("done");
  process.disconnect?.();
}

function countFiles(step: () => void): void {
  // The module itself, not the copy of its names that an import sees.
  const files: Record<string, unknown> = createRequire(import.meta.url)("node:fs/promises");
  for (const name of ["writeFile", "rename", "unlink"] as const) {
    // The cast: what it takes is passed on as it is.
    const original = files[name] as (...words: unknown[]) => unknown;
    files[name] = (...words: unknown[]): unknown => {
      step();
      return original(...words);
    };
  }
  syncBuiltinESMExports();
}
