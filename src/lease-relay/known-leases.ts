// What the lease files say: for the time in which no agent listened to the relay.
import { join } from "node:path";
import { readDirectoryIfPresent, readFileIfPresent } from "../linux/atomic-file.ts";
import { canonicalAddress } from "../linux/addresses.ts";
import { parseLeases } from "../linux/dnsmasq-leases.ts";
import { isUuid, type NetworkId, networkId } from "../model/ids.ts";
import type { LeaseReport } from "../types/agent-messages.ts";

/** Leases in the text of one network's lease file; expired ones and lines that make no sense are left out. */
export function readLeaseFile(id: NetworkId, text: string, nowMs: number): readonly LeaseReport[] {
  return parseLeases(text)
    .filter((lease) => lease.expiresAtMs === null || lease.expiresAtMs > nowMs)
    .map((lease) => ({
      event: "old",
      networkId: id,
      ipAddress: canonicalAddress(lease.ipAddress),
      macAddress: lease.macAddress,
      hostname: lease.hostname !== null && lease.hostname.length <= 255 ? lease.hostname : null,
      expiresAtMs: lease.expiresAtMs,
      observedAtMs: nowMs,
    }));
}

/** Leases of all networks below the state directory. */
export async function readKnownLeases(stateDir: string, nowMs: number): Promise<readonly LeaseReport[]> {
  const directory = join(stateDir, "dhcp");
  const entries = await readDirectoryIfPresent(directory);
  const reports: LeaseReport[] = [];
  for (const id of entries.filter(isUuid).map(networkId)) {
    reports.push(...readLeaseFile(id, (await readFileIfPresent(join(directory, id, "leases"))) ?? "", nowMs));
  }
  return reports;
}
