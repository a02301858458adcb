// What a driver says when it served all but a few ports.
import { NetloomError } from "../base/errors.ts";
import type { DhcpOutcome } from "../drivers/dhcp-driver.ts";

const outcomes: readonly DhcpOutcome[] = ["unchanged", "added", "changed", "reloaded", "started", "restarted"];

/** See DhcpDriver: INVALID with `portIds` and `outcome` says that all but these ports is as asked. */
export function portsLeftOut(
  thrown: unknown,
): { readonly outcome: DhcpOutcome; readonly refusedPorts: readonly string[]; readonly reason: string } | undefined {
  if (!(thrown instanceof NetloomError) || thrown.code !== "INVALID") return undefined;
  const { portIds, outcome } = thrown.detail;
  if (!Array.isArray(portIds)) return undefined;
  const refusedPorts = portIds.filter((id) => typeof id === "string");
  return { outcome: outcomes.find((known) => known === outcome) ?? "unchanged", refusedPorts, reason: thrown.message };
}
