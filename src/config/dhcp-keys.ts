// Keys of section `dhcp`: of the server, who serves which network and when it loses it; of the agent, what dnsmasq is told.
// `netloom up` has both.
import { isAbsolute } from "node:path";
import { z } from "zod";
import { availabilityZone, longestMs } from "./shared-keys.ts";

export const dnsDomain = z
  .string()
  .regex(/^[A-Za-z0-9.-]*$/, "must be a domain name")
  .default("openstacklocal")
  .describe("Domain of ports on networks without dns_domain; the same on the server and its agents");

export const serverDhcp = {
  agentsPerNetwork: z.int().min(1).max(16).default(1).describe("DHCP agents that serve one network"),
  dnsDomain,
  scheduler: z
    .enum(["weight", "chance"])
    .default("weight")
    .describe("Which agent gets a network: weight, the one with the fewest; chance, any"),
  defaultAvailabilityZones: z
    .array(availabilityZone)
    .default([])
    .describe("Zones of networks without availability_zone_hints; all when empty"),
  enableNewAgents: z.boolean().default(true).describe("Whether an agent that is seen for the first time may be given networks"),
  servicesOnDisabledAgents: z
    .boolean()
    .default(false)
    .describe("An agent whose admin_state_up is false gets nothing new, but keeps what it serves"),
  agentDownMs: z
    .int()
    .min(100)
    .max(longestMs)
    .default(20_000)
    .describe("An agent that is silent for so long is no longer alive"),
  failoverAfterMs: z
    .int()
    .min(100)
    .max(longestMs)
    .default(40_000)
    .describe("Networks of an agent that is silent for so long are given to others; at least agent_down_ms"),
  failoverMovesPerSecond: z
    .int()
    .min(0)
    .max(1000)
    .default(20)
    .describe("Networks that are taken from silent agents per second at most; 0: none ever"),
  freezeShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("When more than this share of the agents is silent the network is to blame, and nothing is moved"),
  freezeMinAgents: z.int().min(1).max(100_000).default(2).describe("Fewer silent agents than this never stop the moving"),
};

const absoluteOrEmpty = z.string().refine((text) => text === "" || isAbsolute(text), "must be an absolute path");

const txtRecord = z
  .string()
  .regex(/^$|^[A-Za-z0-9_.-]{1,253},[ !#-~]{1,255}$/, "must be <name>,<text> of printable ASCII without double quotes");

const devicePattern = z.string().regex(/^[A-Za-z0-9_.-]{1,15}\*?$/, "must be the name of a device, with * at its end at most");

const shortestLeaseSeconds = 120;
/** DHCP has 32 bits for it, of which the highest number means for ever. */
const longestSeconds = 2 ** 32 - 2;

/** What dnsmasq is told, on every network of the agent. */
export const agentDhcp = {
  leaseSeconds: z
    .int()
    .refine(
      (seconds) => seconds === -1 || (seconds >= shortestLeaseSeconds && seconds <= longestSeconds),
      `must be -1 (for ever) or from ${shortestLeaseSeconds}, the shortest that dnsmasq gives, to ${longestSeconds}`,
    )
    .default(86400)
    .describe("Lease time, at least 120; -1: for ever"),
  dnsDomain,
  dnsServers: z
    .array(z.union([z.ipv4(), z.ipv6()]))
    .default([])
    .describe("Resolvers that dnsmasq forwards to; without any it answers only for the names of the network"),
  localResolv: z
    .boolean()
    .default(false)
    .describe("Forward to the resolvers of the host's resolv.conf; dns_servers come before them"),
  leaseEvents: z
    .enum(["auto", "bus", "script"])
    .default("auto")
    .describe(
      "How leases are told: bus, over a private D-Bus; script, by a program that dnsmasq runs; auto: bus where it is possible",
    ),
  renewalSeconds: z
    .int()
    .min(0)
    .max(longestSeconds)
    .default(0)
    .describe("T1, when clients renew their lease; 0: at half of it"),
  rebindingSeconds: z
    .int()
    .min(0)
    .max(longestSeconds)
    .default(0)
    .describe("T2, when they ask any server; 0: at seven eighths of it"),
  broadcastReply: z.boolean().default(false).describe("Answer by broadcast, for clients behind switches that lose the others"),
  authoritative: z
    .boolean()
    .default(false)
    .describe("Answer renewals of leases that are not known, while no second agent serves the network"),
  leaseMax: z
    .int()
    .min(1)
    .max(2 ** 30)
    .default(2 ** 24)
    .describe("Leases of one network at most, however many addresses it has"),
  dnsmasqConfigFile: absoluteOrEmpty.default("").describe("File of options that every dnsmasq reads too; empty: none"),
  baseLogDir: absoluteOrEmpty
    .default("")
    .describe("Queries and DHCP of each network are logged to <dir>/<network id>/dhcp_dns_log; empty: they are not"),
  txtRecord: txtRecord.default("").describe("<name>,<text> that DNS answers as TXT record on every network; empty: none"),
  bridgeAliases: z
    .array(devicePattern)
    .default([])
    .describe(
      "Devices, such as tap*, whose DHCP counts as come in on the DHCP port, where instances are routed and not bridged",
    ),
};

interface DhcpTimes {
  readonly leaseSeconds: number;
  readonly renewalSeconds: number;
  readonly rebindingSeconds: number;
}

/** For `superRefine` of a schema with section `dhcp` of an agent: T1 < T2 < end of the lease, each if it is given. */
export function refuseOddDhcpTimes({ dhcp }: { readonly dhcp: DhcpTimes }, context: z.RefinementCtx): void {
  const { renewalSeconds, rebindingSeconds, leaseSeconds } = dhcp;
  const given = [
    { key: "renewalSeconds", name: "renewal_seconds", seconds: renewalSeconds },
    { key: "rebindingSeconds", name: "rebinding_seconds", seconds: rebindingSeconds },
    { key: "leaseSeconds", name: "lease_seconds", seconds: leaseSeconds },
  ].filter(({ seconds }) => seconds > 0);
  for (const [index, { key, seconds }] of given.entries()) {
    const next = given[index + 1];
    if (next === undefined || seconds < next.seconds) continue;
    const message = `must be less than ${next.name}, which is ${next.seconds}`;
    context.addIssue({ code: "custom", path: ["dhcp", key], message });
  }
}

/** For `superRefine` of a schema with section `dhcp` of the server. */
export function refuseEarlyFailover(
  { dhcp }: { readonly dhcp: { readonly agentDownMs: number; readonly failoverAfterMs: number } },
  context: z.RefinementCtx,
): void {
  if (dhcp.failoverAfterMs >= dhcp.agentDownMs) return;
  const message = `must not be less than agent_down_ms, which is ${dhcp.agentDownMs}`;
  context.addIssue({ code: "custom", path: ["dhcp", "failoverAfterMs"], message });
}
