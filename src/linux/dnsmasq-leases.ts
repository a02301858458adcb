// dnsmasq's lease file. It is read while dnsmasq may be writing it in place, so a line that makes no sense is skipped:
// it will make sense at the next look.
import { isIP } from "node:net";

export interface DnsmasqLease {
  readonly ipVersion: 4 | 6;
  readonly ipAddress: string;
  /** IPv6: taken from the client's DUID when that holds one. */
  readonly macAddress: string | null;
  readonly hostname: string | null;
  /** Bytes in hex with colons; IPv6: the client's DUID. */
  readonly clientId: string | null;
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAtMs: number | null;
  /** The line as it stands in the file. */
  readonly text: string;
}

const mac = /^(?:[0-9a-f]{2}-)?((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/;
// DUID-LL and DUID-LLT of Ethernet end with the address of one of the client's interfaces.
const duidMac =
  /^00:03:00:01:((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$|^00:01:00:01:(?:[0-9a-f]{2}:){4}((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/;

export function parseLeaseLine(text: string): DnsmasqLease | undefined {
  const fields = text.trim().split(/\s+/);
  const [expiry = "", identity = "", address = "", hostname = "", clientId = ""] = fields;
  const ipAddress = address.replace(/^\[(.*)\]$/, "$1");
  const version = isIP(ipAddress);
  if (fields.length < 5 || version === 0 || !/^\d+$/.test(expiry)) return undefined;
  const ipVersion = version === 4 ? 4 : 6;
  const fromDuid = duidMac.exec(clientId);
  const macAddress = ipVersion === 4 ? mac.exec(identity)?.[1] : (fromDuid?.[1] ?? fromDuid?.[2]);
  if (ipVersion === 4 && macAddress === undefined) return undefined;
  return {
    ipVersion,
    ipAddress,
    macAddress: macAddress ?? null,
    hostname: hostname === "*" ? null : hostname,
    clientId: clientId === "*" ? null : clientId,
    expiresAtMs: expiry === "0" ? null : Number(expiry) * 1000,
    text: text.trim(),
  };
}

/** Lines of other kinds (`duid …`) and half-written ones are left out. */
export function parseLeases(text: string): readonly DnsmasqLease[] {
  return text.split("\n").flatMap((line) => parseLeaseLine(line) ?? []);
}

/**
 * The file's text with only those leases that `isKept` accepts. The server's own `duid` line stays: without it DHCPv6
 * clients would meet a stranger after the restart.
 */
export function filterLeaseFile(text: string, isKept: (lease: DnsmasqLease) => boolean): string {
  const kept = text.split("\n").filter((line) => {
    if (/^duid [0-9a-f:]+$/.test(line)) return true;
    const lease = parseLeaseLine(line);
    return lease !== undefined && isKept(lease);
  });
  return kept.map((line) => `${line}\n`).join("");
}
