// Keys of how the agents of routers and of floating IPs work.
import { z } from "zod";
import { fenceAfterMs } from "./agent-keys.ts";

/** @param lookedAt what is looked at again in the kernel, as `--help` says it */
export const routerAgentWork = (lookedAt: string) => ({
  reportIntervalMs: z.int().min(100).default(5000).describe("Time between heartbeats"),
  concurrency: z.int().min(1).max(64).default(4).describe("Routers that are worked on at the same time"),
  resyncIntervalMs: z
    .int()
    .min(1000)
    .default(60_000)
    .describe(`How often ${lookedAt} looked at again in the kernel, changed or not`),
  resyncThrottleMs: z
    .int()
    .min(0)
    .default(250)
    .describe("Least time between two syncs with the server; at most resync_interval_ms"),
  fenceAfterMs,
});
