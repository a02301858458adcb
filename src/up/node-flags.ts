// How Node is started for each program.
import type { ProgramName } from "./agent-programs.ts";

/**
 * An agent makes much that lives for one event only. V8 lets the space for such things grow to 3 × 32 MiB, and keeps what was once
 * touched; with 2 MiB halves it is cleared more often, and an agent of a thousand networks needs 50 MB less.
 */
export const agentNodeFlags: readonly string[] = ["--max-semi-space-size=2"];

/**
 * The server lives from throughput. A list of thousands has to fit into 16 MiB; beyond what it holds V8 would let three times as
 * much garbage lie, and keep those pages for good.
 */
export const serverNodeFlags: readonly string[] = ["--max-semi-space-size=16", "--heap-growing-percent=50"];

export function nodeFlagsOf(name: ProgramName): readonly string[] {
  return name === "server" ? serverNodeFlags : agentNodeFlags;
}
