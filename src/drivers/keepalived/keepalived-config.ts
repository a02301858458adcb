// keepalived.conf of one router, and the file by which its hook knows what to do. Pure; every word is checked against the grammar
// of what it is, because neither keepalived's language nor that of ip(8) has a quoting that could be relied on.
import { NetloomError } from "../../base/errors.ts";
import { ipVersionOf, parseCidr } from "../../linux/addresses.ts";
import { addressBytes } from "../../linux/netlink-bytes.ts";
import { type HaAddress, type HaPlan, type HaRoute, virtualAddress } from "../router-ha.ts";

export interface KeepalivedFiles {
  readonly hookScript: string;
  readonly hookFile: string;
  readonly stateFile: string;
}

function checked(grammar: RegExp, word: string): string {
  if (grammar.test(word)) return word;
  throw new NetloomError("INVALID", `not a word for keepalived: ${JSON.stringify(word.slice(0, 64))}`);
}

const device = (name: string): string => checked(/^[A-Za-z0-9_-]{1,15}$/, name);
const file = (path: string): string => checked(/^\/[A-Za-z0-9_./+-]{1,1000}$/, path);

function count(value: number, least: number, most: number): string {
  if (Number.isInteger(value) && value >= least && value <= most) return String(value);
  throw new NetloomError("INVALID", `not a number for keepalived: ${value}`);
}

function address(text: string): string {
  ipVersionOf(text);
  return checked(/^[0-9A-Fa-f.:]{2,45}$/, text);
}

function cidr(text: string): string {
  const { prefixLength } = parseCidr(text);
  return `${address(text.slice(0, text.lastIndexOf("/")))}/${prefixLength}`;
}

const macAddress = (text: string): string => checked(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, text);

const addressLine = (one: HaAddress): string =>
  `own ${device(one.device)} ${macAddress(one.macAddress)} ${cidr(one.cidr)} ${addressBytes(parseCidr(one.cidr).address).toString("hex")}`;

/** For ip(8). `static`: the router driver takes them for what it would have made itself, and repairs them. */
function routeLine({ destination, nextHops }: HaRoute): string {
  const target = cidr(destination);
  const [only] = nextHops;
  const words = (hop: HaRoute["nextHops"][number]): string =>
    [
      ...(hop.gateway === undefined ? [] : ["via", address(hop.gateway)]),
      ...(hop.device === undefined ? [] : ["dev", device(hop.device)]),
    ].join(" ");
  const hops =
    nextHops.length === 1 && only !== undefined ? words(only) : nextHops.map((hop) => `nexthop ${words(hop)}`).join(" ");
  return `route ${target} proto static ${hops}`;
}

function block(head: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${head} {`, ...lines.map((line) => `  ${line}`), "}"];
}

/**
 * The election, and nothing that changes with the router's interfaces and routes.
 *
 * @param advertMs between two advertisements; a take-over after a silent death takes three of them and up to one more
 */
export function formatKeepalivedConfig(plan: HaPlan, files: KeepalivedFiles, advertMs: number): string {
  const vrId = count(plan.vrId, 1, 254);
  const ha = device(plan.device);
  const notify = [files.hookScript, files.hookFile, files.stateFile].map(file).join(" ");
  const instance = [
    "state BACKUP",
    "version 3",
    `interface ${ha}`,
    `virtual_router_id ${vrId}`,
    `priority ${count(plan.priority, 1, 254)}`,
    // Who has it keeps it: a host that comes back must not cause another take-over.
    "nopreempt",
    `advert_int ${(Number(count(advertMs, 50, 40_000)) / 1000).toFixed(2)}`,
    `notify "${notify}"`,
    // All else is the hook's: whatever stands here a keepalived that starts removes from the kernel first.
    ...block("virtual_ipaddress", [`${virtualAddress(plan.vrId)}/24 dev ${ha}`]),
  ];
  const global = ["router_id netloom", "script_user root", "dynamic_interfaces"];
  return `${[...block("global_defs", global), ...block(`vrrp_instance VR_${vrId}`, instance)].join("\n")}\n`;
}

/** In which a keepalived that was killed is started again, also when the agent was killed with it, again and again. */
const restartSeconds = 60;

/** From taking its address away, as it starts, to saying so: on a busy machine. */
const speakSeconds = 5;

/** What the hook does; see netloom-ha-notify. */
export function formatHookFile(plan: HaPlan, advertMs: number): string {
  const { vrId, addresses, routes, settings, announcer } = plan;
  // A keepalived that starts is the primary after four advertisements at most, if nobody else is.
  const holdSeconds = restartSeconds + (4 * advertMs) / 1000;
  const lines = [
    `address ${virtualAddress(vrId)}`,
    `hold ${device(plan.device)} ${holdSeconds.toFixed(1)} ${speakSeconds}`,
    ...settings.map(({ name, primary, backup }) =>
      ["set", checked(/^net\/[A-Za-z0-9_/-]{1,100}$/, name), count(primary, 0, 9), count(backup, 0, 9)].join(" "),
    ),
    ...addresses.map(addressLine),
    ...routes.map(routeLine),
    ...(announcer === undefined ? [] : [`announce ${device(announcer.device)} ${macAddress(announcer.macAddress)}`]),
  ];
  return `${lines.join("\n")}\n`;
}
