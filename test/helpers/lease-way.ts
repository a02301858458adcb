// The way to leases of a driver that a test starts in a process of its own.
import { silentLogger } from "../../src/base/logger.ts";
import { LeaseBus } from "../../src/lease-bus/lease-bus.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import type { NetworkId } from "../../src/model/ids.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import type { LeaseMode } from "./dhcp-bench.ts";
import { waitFor } from "./wait-for.ts";

/** In mode `bus` the bus must run already, and the network's server must be on it. */
export async function openLeaseWay(mode: LeaseMode, stateDir: string, id: NetworkId): Promise<LeaseBus | undefined> {
  if (mode !== "bus") return undefined;
  const bus = new LeaseBus({ stateDir, runner: processRunner(), timers: systemTimers, log: silentLogger });
  await bus.start();
  await waitFor(() => bus.reachable.has(id), { limitMs: 10_000, what: "the server on the bus" });
  return bus;
}
