// A driver in a process of its own that is killed just before its n-th change to the host: a file written, renamed or removed, a
// directory made, a signal sent, a child started, a lease deleted over the bus. Every one of them is a place where an agent can die.
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { DesiredDhcp } from "../../src/drivers/dhcp-driver.ts";
import type { LeaseControl } from "../../src/drivers/lease-control.ts";
import type { LeaseMode } from "./dhcp-bench.ts";

export interface DyingOrder {
  readonly stateDir: string;
  readonly desired: DesiredDhcp;
  /** 1: before the first change. */
  readonly dieAt: number;
  readonly leaseMode: LeaseMode;
}

/** `done` when there were fewer changes than `dieAt`. */
export interface DyingReport {
  readonly outcome: string;
  readonly steps: readonly string[];
}

process.once("message", (order: DyingOrder) => {
  void applyAndDie(order);
});

async function applyAndDie({ stateDir, desired, dieAt, leaseMode }: DyingOrder): Promise<void> {
  const steps: string[] = [];
  const { openLeaseWay } = await import("./lease-way.ts");
  const bus = await openLeaseWay(leaseMode, stateDir, desired.view.network.id);
  const step = countSteps(steps, dieAt);
  // Only now, so that they import what has been replaced.
  const { DnsmasqDriver } = await import("../../src/drivers/dnsmasq/dnsmasq-driver.ts");
  const { silentLogger } = await import("../../src/base/logger.ts");
  const { processRunner } = await import("../../src/linux/command-runner.ts");
  const driver = new DnsmasqDriver({ runner: processRunner(), stateDir, log: silentLogger, leases: counted(bus, step) });
  const outcome = await driver.apply(desired);
  bus?.close();
  process.send?.({ outcome, steps } satisfies DyingReport);
  process.disconnect?.();
}

type Step = (name: string, target: unknown) => void;

function counted(control: LeaseControl | undefined, step: Step): LeaseControl | undefined {
  if (control === undefined) return undefined;
  return {
    access: (id) => control.access(id),
    deleteLease: async (id, ipAddress) => {
      step("delete lease", ipAddress);
      return control.deleteLease(id, ipAddress);
    },
  };
}

function countSteps(steps: string[], dieAt: number): Step {
  const step: Step = (name, target) => {
    steps.push(`${name} ${String(target).split("/").slice(-2).join("/")}`);
    if (steps.length === dieAt) process.kill(process.pid, "SIGKILL");
  };
  for (const name of ["writeFileSync", "writeSync", "renameSync", "rmSync", "mkdirSync"] as const) {
    const original: (...args: unknown[]) => unknown = fs[name] as never;
    const counted = (...args: unknown[]): unknown => {
      step(name, args[0]);
      return original(...args);
    };
    Object.assign(fs, { [name]: counted });
  }
  const { spawn } = childProcess;
  Object.assign(childProcess, {
    spawn: (...args: Parameters<typeof spawn>) => {
      step("spawn", args[0]);
      return spawn(...args);
    },
  });
  const kill = process.kill.bind(process);
  process.kill = (pid, signal) => {
    if (pid !== process.pid) step("kill", signal);
    return kill(pid, signal);
  };
  syncBuiltinESMExports();
  return step;
}
