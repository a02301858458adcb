// Keys of how the DHCP agent works, whatever dnsmasq is told; `netloom up` hands them to its agents.
import { z } from "zod";
import { longestMs, refuseLongThrottle } from "./shared-keys.ts";

/** Of every agent. */
export const fenceAfterMs = z
  .int()
  .min(0)
  .max(longestMs)
  .default(0)
  .describe(
    "Agents stop serving when no server has heard them for so long and others could serve in their place; 0: never. " +
      "40000 fits the server's defaults: twice dhcp.agent_down_ms, at most dhcp.failover_after_ms",
  );

export const agentWork = {
  reportIntervalMs: z.int().min(100).max(longestMs).default(5000).describe("Time between heartbeats"),
  concurrency: z.int().min(1).max(64).default(8).describe("Networks that the DHCP agent works on at the same time"),
  resyncIntervalMs: z
    .int()
    .min(1000)
    .max(longestMs)
    .default(60_000)
    .describe("How often each network is looked at again in the kernel, changed or not"),
  resyncThrottleMs: z
    .int()
    .min(0)
    .max(longestMs)
    .default(250)
    .describe("Least time between two syncs with the server; at most resync_interval_ms"),
  fenceAfterMs,
};

/** Of so many heartbeats one at least must be heard in the time. */
const heartbeatsToMiss = 3;

interface AgentTimes {
  readonly reportIntervalMs: number;
  readonly resyncIntervalMs: number;
  readonly resyncThrottleMs: number;
  readonly fenceAfterMs: number;
}

/** For `superRefine` of a schema with these keys. */
export function refuseOddAgentTimes(config: AgentTimes, context: z.RefinementCtx): void {
  refuseLongThrottle(config, context);
  const least = heartbeatsToMiss * config.reportIntervalMs;
  if (config.fenceAfterMs === 0 || config.fenceAfterMs >= least) return;
  const message = `must be 0 (never) or at least ${least}, ${heartbeatsToMiss} times report_interval_ms: one lost heartbeat is none`;
  context.addIssue({ code: "custom", path: ["fenceAfterMs"], message });
}

/** For `superRefine` of one that has the server's keys too. */
export function refuseSlowHeartbeats(
  config: { readonly reportIntervalMs: number; readonly dhcp: { readonly agentDownMs: number } },
  context: z.RefinementCtx,
): void {
  const most = Math.floor(config.dhcp.agentDownMs / 2);
  if (config.reportIntervalMs <= most) return;
  const message = `must be at most half of dhcp.agent_down_ms, which is ${config.dhcp.agentDownMs}: agents would look dead`;
  context.addIssue({ code: "custom", path: ["reportIntervalMs"], message });
}
