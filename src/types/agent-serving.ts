// What an agent asks a server beside its stream: whether it may go on serving.
import { z } from "zod";

/** Answer of `renewServing`, which agents ask that fence themselves. */
export const servingReplySchema = z.object({
  /** Since the server last heard a heartbeat of the agent. */
  silentMs: z.number().nonnegative(),
  /** Agents that could be given what this one serves. */
  others: z.int().nonnegative(),
  /** After so much silence others are given it; null: the servers never do that by themselves. */
  movesAfterMs: z.number().nonnegative().nullable(),
});
export type ServingReply = z.infer<typeof servingReplySchema>;
