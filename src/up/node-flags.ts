// How Node is started for each program.
import type { ProgramName } from "./agent-programs.ts";

/**
 * An agent makes much that lives for one event only. V8 lets the space for such things grow to 3 × 16 MiB, and keeps what was once
 * touched; with 2 MiB halves it is cleared more often, and an agent of a thousand networks needs 50 MB less. The server, which
 * lives from throughput, keeps V8's own sizes.
 */
export const agentNodeFlags: readonly string[] = ["--max-semi-space-size=2"];

export function nodeFlagsOf(name: ProgramName): readonly string[] {
  return name === "server" ? [] : agentNodeFlags;
}
