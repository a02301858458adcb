// Lines of `opts` for the options of single ports.
import { ipVersionOf } from "../../linux/addresses.ts";
import { isClientId, readDhcpOption, type ReadOption } from "../../model/dhcp-option.ts";
import type { ExtraDhcpOption, Port } from "../../model/network.ts";
import { checkLine } from "./grammar.ts";
import type { Note } from "./notes.ts";

export interface PortOptions {
  readonly lines: readonly string[];
  readonly notes: readonly Note[];
}

/** What most ports have: one value for all of them. */
const none: PortOptions = { lines: [], notes: [] };

/**
 * Those for an IP version that the port has no address of are left out; so is, with a warning, what the API would refuse
 * today: an option that a server cannot read must not keep a port from its address.
 */
export function buildPortOptions(port: Port): PortOptions {
  if (port.extraDhcpOpts.length === 0) return none;
  const versions = new Set(port.fixedIps.map((ip) => ipVersionOf(ip.ipAddress)));
  const lines: string[] = [];
  const notes: Note[] = [];
  const leaveOut = (level: Note["level"], text: string): void => {
    notes.push({ level, portId: port.id, text });
  };
  for (const option of port.extraDhcpOpts.filter((one) => !isClientId(one)).toSorted(byPrecedence)) {
    const read = readDhcpOption(option);
    if ("reason" in read) leaveOut("warn", `${read.reason}: it is not sent`);
    else if (!versions.has(option.ipVersion)) {
      leaveOut("info", `option ${option.optName} is for IPv${option.ipVersion}, of which it has no address`);
    } else {
      // The routes of a subnet are told by both numbers; a 249 of the port's own comes after this one.
      if (read.code === 121 && read.value === "") lines.unshift(formatOption(port, 4, { ...read, code: 249, name: undefined }));
      lines.push(formatOption(port, option.ipVersion, read));
    }
  }
  return { lines, notes };
}

/**
 * Of several lines with one option that fit a client dnsmasq takes the last, so `tag:ipxe,67` must come after `67`. Beyond that the
 * order is any, as long as it is always the same.
 */
function byPrecedence(one: ExtraDhcpOption, other: ExtraDhcpOption): number {
  const key = ({ optName, optValue, ipVersion }: ExtraDhcpOption): string =>
    `${optName.split(",").length.toString().padStart(3, "0")} ${ipVersion} ${optName} ${optValue}`;
  return key(one) < key(other) ? -1 : 1;
}

function formatOption(port: Port, ipVersion: 4 | 6, { tags, code, name, value }: ReadOption): string {
  const option = ipVersion === 6 ? `option6:${name ?? code}` : name === undefined ? String(code) : `option:${name}`;
  const values = value === "" ? [] : [value];
  return checkLine([`tag:port-${port.id}`, ...tags.map((tag) => `tag:${tag}`), option, ...values].join(","));
}
