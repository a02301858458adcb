// Keys of high availability of routers; `netloom up` hands them to its server and its agent.
import { z } from "zod";

/** What the server is told. */
export const serverHa = {
  maxL3AgentsPerRouter: z
    .int()
    .min(0)
    .max(250)
    .default(3)
    .describe("L3 agents that host one router of high availability; 0: all that can"),
};

/** What L3 agents are told. */
export const agentHa = {
  haAdvertMs: z
    .int()
    .min(100)
    .max(40_000)
    .default(1000)
    .describe(
      "Time between two advertisements of an HA router's primary; others take over after three to four. The same on all hosts",
    ),
};
