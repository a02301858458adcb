// Which way leases come to the agent and go from dnsmasq: over the bus where there is one, else by the script.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { LeaseBus } from "../lease-bus/lease-bus.ts";
import { LeaseRelay, leaseScriptPath, leaseSocketPath } from "../lease-relay/lease-relay.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import type { Timers } from "../runtime/timers.ts";
import { AgentLeases } from "./agent-leases.ts";

export interface LeaseWaysOptions {
  /** `auto`: the bus where dnsmasq and the host can do it. */
  readonly mode: "auto" | "bus" | "script";
  /** The installed dnsmasq was built with D-Bus. */
  readonly hasDbus: boolean;
  /** Where programs are searched, as in PATH. */
  readonly searchPath: string;
  readonly stateDir: string;
  /** See `AgentLeasesOptions`. */
  readonly areLeasesFinite?: boolean | undefined;
  readonly runner: CommandRunner;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

export interface LeaseWays {
  /** What the agent hears; it starts and closes the bus connection too. */
  readonly source: AgentLeases;
  /** For the driver: releases leases over the bus. */
  readonly control: LeaseBus | undefined;
  /** For dnsmasq; undefined where the bus is used: a reload would run it once for each lease. */
  readonly script: { readonly leaseScript: string | undefined; readonly leaseSocket: string | undefined };
}

/**
 * What is chosen does not depend on whether the bus runs at the moment, because dnsmasq is restarted when it changes.
 *
 * Rejects with UNAVAILABLE in mode `bus` on a host that lacks what it takes
 */
export async function chooseLeaseWays(options: LeaseWaysOptions): Promise<LeaseWays> {
  const { mode, stateDir } = options;
  const lack = mode === "script" ? "lease_events is script" : whatIsLacking(options);
  if (mode === "bus" && lack !== undefined) throw new NetloomError("UNAVAILABLE", `lease_events is bus, but ${lack}`);
  const messages = new LeaseRelay(options);
  if (lack === undefined) {
    const control = new LeaseBus(options);
    const script = { leaseScript: undefined, leaseSocket: undefined };
    return { control, script, source: new AgentLeases({ ...options, hints: control, messages }) };
  }
  if (mode === "auto") options.log.info({ reason: lack }, "leases are told by a script");
  const script = { leaseScript: leaseScriptPath, leaseSocket: leaseSocketPath(stateDir) };
  return { control: undefined, script, source: new AgentLeases({ ...options, hints: undefined, messages }) };
}

function whatIsLacking({ hasDbus, searchPath }: LeaseWaysOptions): string | undefined {
  if (!hasDbus) return "dnsmasq was built without D-Bus";
  const isInstalled = searchPath.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, "dbus-daemon"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return isInstalled ? undefined : "dbus-daemon is not installed (apt-get install dbus-daemon)";
}
