// What DHCP agents report back: the ports that their servers answer for.
import { type Clock, formatTimestamp, systemClock } from "../../base/clock.ts";
import type { Trx } from "../store/database.ts";
import { inChunks } from "../store/rows.ts";

export interface ReadyPort {
  readonly id: string;
  readonly revision: number;
}

/**
 * Notes the revision that is served, and makes ports ACTIVE that were waiting for it. Agents are not told: nothing changes
 * for them. Returns the ids of the ports that became ACTIVE.
 */
export async function setPortsReady(
  trx: Trx,
  ports: readonly ReadyPort[],
  clock: Clock = systemClock,
): Promise<readonly string[]> {
  // Nearly all ports of a report are at the same revision, so this is one statement or two.
  const byRevision = Map.groupBy(ports, (port) => port.revision);
  for (const [revision, served] of byRevision) {
    await inChunks(served.map((port) => port.id).sort(), (piece) =>
      trx
        .updateTable("ports")
        .set({ dhcp_ready_revision: revision })
        .where("id", "in", piece)
        .where("dhcp_ready_revision", "<", revision)
        .execute(),
    );
  }
  const updatedAt = formatTimestamp(clock.nowMs());
  const activated = await inChunks(ports.map((port) => port.id).sort(), (piece) =>
    trx
      .updateTable("ports")
      .set((eb) => ({ status: "ACTIVE", updated_at: updatedAt, revision_number: eb("revision_number", "+", 1) }))
      .where("id", "in", piece)
      .where("admin_state_up", "=", 1)
      .where("status", "in", ["DOWN", "BUILD"])
      // What was served before the port went DOWN says nothing about what it is now.
      .whereRef("dhcp_ready_revision", ">=", "ready_from_revision")
      .where("binding_vif_type", "!=", "binding_failed")
      .returning("id")
      .execute(),
  );
  return activated.map((row) => row.id);
}
