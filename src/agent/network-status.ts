// What /status says about each network.
import type { NetworkId } from "../model/ids.ts";
import type { ReconcileOutcome } from "./network-helpers.ts";

export interface NetworkStatus {
  readonly state: "served" | "off" | "degraded" | "failing";
  /** Why it is not simply served. */
  readonly reason: string | null;
  readonly ports: number;
  readonly outcome: ReconcileOutcome | null;
  readonly lastReconcileMs: number;
}

export type NetworkStatusTable = ReadonlyMap<NetworkId, NetworkStatus>;

export function servedStatus(options: {
  readonly isServed: boolean;
  readonly refusal: string | undefined;
  readonly ports: number;
  readonly outcome: ReconcileOutcome;
  readonly ms: number;
}): NetworkStatus {
  const { isServed, refusal, ports, outcome, ms } = options;
  const state = refusal !== undefined ? "degraded" : isServed ? "served" : "off";
  return { state, reason: refusal ?? null, ports, outcome, lastReconcileMs: ms };
}

export function failingStatus(thrown: unknown, ports: number): NetworkStatus {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return { state: "failing", reason, ports, outcome: null, lastReconcileMs: 0 };
}
