// The agents that `netloom up` runs on this machine.
import type { UpConfig } from "../config/up-config.ts";
import type { Role } from "../messaging/subjects.ts";
import { dhcpAgentArguments, floatingIpAgentArguments, l3AgentArguments, type NatsAccess } from "./program-arguments.ts";

interface AgentProgram {
  /** As in `netloom <name>`. */
  readonly name: string;
  /** Who it is to NATS. */
  readonly role: Role;
  readonly argumentsOf: (config: UpConfig, nats: NatsAccess) => readonly string[];
}

export const agentPrograms = [
  { name: "dhcp-agent", role: "dhcp", argumentsOf: dhcpAgentArguments },
  { name: "l3-agent", role: "l3", argumentsOf: l3AgentArguments },
  { name: "floating-ip-agent", role: "fip", argumentsOf: floatingIpAgentArguments },
] as const satisfies readonly AgentProgram[];

export type ProgramName = "server" | (typeof agentPrograms)[number]["name"];
