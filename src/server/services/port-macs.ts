// MAC addresses: unique within a network, made up where nobody asks for one.
import { randomFillSync } from "node:crypto";
import { generateMac } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { inChunks } from "../store/rows.ts";

const maxAttempts = 16;

/**
 * One MAC per element of `asked`; `undefined` asks for a new one. Throws MacAddressInUse for one that is taken, in the
 * network or within `asked`. Two transactions may still choose the same: the unique index lets one of them run again.
 */
export async function chooseMacs(
  trx: Trx,
  networkId: string,
  asked: readonly (string | undefined)[],
): Promise<readonly string[]> {
  const explicit = asked.filter((mac) => mac !== undefined);
  const twice = explicit.find((mac, index) => explicit.indexOf(mac) !== index);
  if (twice !== undefined) throw macInUse(networkId, twice);
  const chosen = new Set(explicit);
  let made: string[] = [];
  for (let attempt = 1; ; attempt++) {
    made = [...made, ...freshMacs(asked.length - explicit.length - made.length, chosen)];
    const used = new Set(await readUsed(trx, networkId, [...explicit, ...made]));
    const taken = explicit.find((mac) => used.has(mac));
    if (taken !== undefined) throw macInUse(networkId, taken);
    if (made.every((mac) => !used.has(mac))) break;
    if (attempt === maxAttempts)
      throw new ApiFault("NetworkMacAddressGenerationFailure", `Unable to generate unique mac on network ${networkId}.`);
    made = made.filter((mac) => !used.has(mac));
  }
  let next = 0;
  return asked.map((mac) => mac ?? made[next++] ?? "");
}

/** @param chosen what must not come again; gets the new ones. */
function freshMacs(count: number, chosen: Set<string>): string[] {
  const macs: string[] = [];
  while (macs.length < count) {
    const mac = generateMac(randomFillSync(new Uint8Array(3)));
    if (!chosen.has(mac)) macs.push(mac);
    chosen.add(mac);
  }
  return macs;
}

async function readUsed(trx: Trx, networkId: string, macs: readonly string[]): Promise<readonly string[]> {
  const rows = await inChunks(macs, (piece) =>
    trx
      .selectFrom("ports")
      .select("mac_address")
      .where("network_id", "=", networkId)
      .where("mac_address", "in", piece)
      .execute(),
  );
  return rows.map((row) => row.mac_address);
}

function macInUse(networkId: string, mac: string): ApiFault {
  return new ApiFault(
    "MacAddressInUse",
    `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
  );
}
