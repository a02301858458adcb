// What was seen of a router and what that makes necessary, as one value; and what follows from it for others. Pure.
import { ipVersionOf } from "../../linux/addresses.ts";
import { arpAnnouncement } from "../../linux/arp.ts";
import { neighbourAnnouncement } from "../../linux/neighbour-advertisement.ts";
import type { HostLook } from "./host-side.ts";
import type { InsidePlan, InsideState } from "./inside-plan.ts";
import type { RouterMark } from "./router-mark.ts";
import type { TablePlan } from "./router-table.ts";

export interface Look {
  readonly host: readonly HostLook[];
  readonly inside: InsideState;
  readonly isNew: boolean;
}

export interface Changes {
  readonly look: Look;
  readonly inside: InsidePlan;
  readonly table: TablePlan;
  readonly staleTaps: RouterMark["taps"];
}

/** Elements and local routes of the floating-IP driver do not survive these. */
export function losesElements({ look, inside, table }: Changes): boolean {
  return look.isNew || table.kind === "create" || inside.hasLostGateway;
}

export function countChanges({ look, inside, table, staleTaps }: Changes): number {
  const host = look.host.filter((one) => one !== "fits").length;
  const rules = table.kind === "none" ? 0 : 1;
  return (look.isNew ? 1 : 0) + host + inside.operations.length + inside.routes.length + rules + staleTaps.length;
}

/** The addresses move first, and only then the state is written. */
export function mayBeTakeOver({ look, inside }: Changes, wasAsked: boolean): boolean {
  if (look.isNew) return false;
  return inside.hasLostAddresses || (wasAsked && inside.operations.length + inside.routes.length > 0);
}

export const framesOf = ({ announced }: InsidePlan): ReadonlyMap<string, readonly Buffer[]> => {
  const frames = new Map<string, Buffer[]>();
  for (const { device, macAddress, address } of announced) {
    const announcement = ipVersionOf(address) === 4 ? arpAnnouncement : neighbourAnnouncement;
    frames.set(device, [...(frames.get(device) ?? []), announcement(macAddress, address)]);
  }
  return frames;
};
