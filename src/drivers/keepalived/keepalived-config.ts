// keepalived.conf of one router. Pure; every word is checked against the grammar of what it is, because keepalived's language
// has no quoting that could be relied on.
import { NetloomError } from "../../base/errors.ts";
import { ipVersionOf, parseCidr } from "../../linux/addresses.ts";
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

// no_track: a device that comes and goes is the router driver's matter and no reason for a take-over.
const addressLine = (one: HaAddress): string => `${cidr(one.cidr)} dev ${device(one.device)} no_track`;

/** `static`: the router driver takes them for what it would have made itself, and repairs them. */
function routeLine({ destination, nextHops }: HaRoute): string {
  const target = cidr(destination);
  const [only] = nextHops;
  const words = (hop: HaRoute["nextHops"][number]): string =>
    [
      ...(hop.gateway === undefined ? [] : ["via", address(hop.gateway)]),
      ...(hop.device === undefined ? [] : ["dev", device(hop.device)]),
    ].join(" ");
  if (nextHops.length === 1 && only !== undefined) {
    const onLink = only.gateway === undefined && ipVersionOf(target.split("/")[0] ?? "") === 4 ? " scope link" : "";
    return `${target} ${words(only)}${onLink} protocol static no_track`;
  }
  return `${target} protocol static no_track ${nextHops.map((hop) => `nexthop ${words(hop)}`).join(" ")}`;
}

function block(head: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${head} {`, ...lines.map((line) => `  ${line}`), "}"];
}

/** @param advertMs between two advertisements; a take-over after a silent death takes three of them and up to one more */
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
    "garp_master_delay 1",
    `notify "${notify}"`,
    ...block("virtual_ipaddress", [`${virtualAddress(plan.vrId)}/24 dev ${ha}`]),
    // Not in the advertisements, which have room for few.
    ...block("virtual_ipaddress_excluded", plan.addresses.map(addressLine)),
    ...block("virtual_routes", plan.routes.map(routeLine)),
  ];
  const global = ["router_id netloom", "script_user root", "dynamic_interfaces"];
  return `${[...block("global_defs", global), ...block(`vrrp_instance VR_${vrId}`, instance)].join("\n")}\n`;
}

/** What the hook does; see netloom-ha-notify. */
export function formatHookFile({ vrId, settings, announcer }: HaPlan): string {
  const lines = [
    `address ${virtualAddress(vrId)}`,
    ...settings.map(({ name, primary, backup }) =>
      ["set", checked(/^net\/[A-Za-z0-9_/-]{1,100}$/, name), count(primary, 0, 9), count(backup, 0, 9)].join(" "),
    ),
    ...(announcer === undefined
      ? []
      : [`announce ${device(announcer.device)} ${checked(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, announcer.macAddress)}`]),
  ];
  return `${lines.join("\n")}\n`;
}
