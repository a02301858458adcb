// What the silence of agents means: pure. One or two that fall silent have died; when many do so at once it is the network
// or the broker that failed, their DHCP servers go on, and moving their networks would only make it worse.

export interface ObservedAgent {
  readonly id: string;
  /** Networks that it hosts. */
  readonly load: number;
  /** How long it has surely been silent. */
  readonly silentMs: number;
  /** As it said last. */
  readonly phase: string;
}

export interface SilenceLimits {
  readonly agentDownMs: number;
  readonly failoverAfterMs: number;
  /** 0…1 of the agents that count. */
  readonly freezeShare: number;
  readonly freezeMinAgents: number;
}

export interface SilenceVerdict<T> {
  readonly isFrozen: boolean;
  /** Agents that are silent and still host something. */
  readonly silent: readonly T[];
  /** Agents whose networks are to be moved; none while frozen, or while nobody is there to take them. */
  readonly dead: readonly T[];
}

/** An agent that was still putting its networks in order when it fell silent is given this many times the patience. */
const startingPatience = 2;

/** @param agents switched on. One that is silent and hosts nothing has been dealt with and does not count. */
export function judgeSilence<T extends ObservedAgent>(agents: readonly T[], limits: SilenceLimits): SilenceVerdict<T> {
  const isSilent = (agent: T): boolean => agent.silentMs >= limits.agentDownMs;
  const counted = agents.filter((agent) => agent.load > 0 || !isSilent(agent));
  const silent = counted.filter(isSilent);
  const isFrozen = silent.length >= limits.freezeMinAgents && silent.length > counted.length * limits.freezeShare;
  const isAnybodyThere = silent.length < counted.length;
  const dead = isFrozen || !isAnybodyThere ? [] : silent.filter((agent) => agent.silentMs >= patienceMs(agent, limits));
  return { isFrozen, silent, dead };
}

function patienceMs({ phase }: ObservedAgent, { failoverAfterMs }: SilenceLimits): number {
  return phase === "starting" || phase === "syncing" ? failoverAfterMs * startingPatience : failoverAfterMs;
}
