// The floating-IP agent inside the L3 agent's process: with its own identity on the bus and its own place in the list of agents,
// by a driver on the same nft and worker processes. Routers are heard of as in a process of its own, so that both ways behave the same.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { FloatingIpDriver } from "../drivers/floating-ip-driver.ts";
import { connectAgentBus } from "../runtime/agent-bus.ts";
import { lockAgent } from "../runtime/agent-lock.ts";
import type { Stop } from "../runtime/stop.ts";
import type { Timers } from "../runtime/timers.ts";
import { type FloatingIpAgentSettings, type RunningFloatingIpAgent, startFloatingIpAgent } from "./agent-program.ts";

export interface BesideParts {
  readonly settings: FloatingIpAgentSettings & {
    readonly namespacePrefix: string;
    /** The seed file is the one of role `fip`, not the host process's own. */
    readonly nats: { readonly url: string; readonly nkeySeedFile?: string | undefined };
  };
  readonly driver: FloatingIpDriver;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly stop: Pick<Stop, "onStop">;
}

/** Throws CONFLICT while a process of its own serves the state directory's floating IPs. */
export async function startFloatingIpAgentBeside(parts: BesideParts): Promise<RunningFloatingIpAgent> {
  const { settings, stop } = parts;
  const { host, stateDir, namespacePrefix } = settings;
  const log = parts.log.child({ agent: "floating-ip-agent" });
  const lock = await lockAgent(stateDir, { version: 1, host, namespacePrefix }, "floating-ip-agent");
  stop.onStop("floating IPs' lock", () => lock.release());
  const bus = await connectAgentBus(settings, log, { role: "fip", program: "floating-ip-agent" });
  return startFloatingIpAgent({ ...parts, log, bus });
}
