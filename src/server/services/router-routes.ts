// Extra routes of a router: pure.
import type { Route } from "../../model/router.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { RouterRow } from "../store/rows.ts";
import type { RouterPort } from "./router-rows.ts";
import { type ConnectedSubnet, subnetContains } from "./router-subnets.ts";

/** The cast: we wrote it. */
export const routesOf = (router: RouterRow): readonly Route[] => JSON.parse(router.routes) as readonly Route[];

const keyOf = ({ destination, nexthop }: Route): string => `${destination} via ${nexthop}`;

export function withRoutes(before: readonly Route[], added: readonly Route[]): readonly Route[] {
  const known = new Set(before.map(keyOf));
  return [...before, ...added.filter((route) => !known.has(keyOf(route)))];
}

export function withoutRoutes(before: readonly Route[], removed: readonly Route[]): readonly Route[] {
  const gone = new Set(removed.map(keyOf));
  return before.filter((route) => !gone.has(keyOf(route)));
}

/** Subnets on which the router has an address: next hops are there. */
export function reachableSubnets(connected: readonly ConnectedSubnet[]): readonly ConnectedSubnet["subnet"][] {
  return connected
    .filter(({ subnet, port }) => port.fixedIps.some((ip) => ip.subnet_id === subnet.id))
    .map(({ subnet }) => subnet);
}

interface Place {
  readonly ports: readonly RouterPort[];
  readonly connected: readonly ConnectedSubnet[];
}

/** @param limit -1: none */
export function checkRouteCount(routerId: string, routes: readonly Route[], limit: number): void {
  if (limit < 0 || routes.length <= limit) return;
  throw new ApiFault(
    "RoutesExhausted",
    `Unable to complete operation for ${routerId}. The number of routes exceeds the maximum ${limit}.`,
  );
}

export function checkRoutes(routes: readonly Route[], { ports, connected }: Place): void {
  const own = new Set(ports.flatMap((port) => port.fixedIps.map((ip) => ip.ip_address)));
  const reachable = reachableSubnets(connected);
  for (const route of routes) {
    const reason = whyNot(route, own, reachable);
    if (reason !== undefined) throw new ApiFault("InvalidRoutes", `Invalid format for routes: ${keyOf(route)}, ${reason}`);
  }
}

function whyNot(
  { destination, nexthop }: Route,
  own: ReadonlySet<string>,
  reachable: readonly ConnectedSubnet["subnet"][],
): string | undefined {
  if (destination.includes(":") !== nexthop.includes(":")) return "the nexthop is of another IP version than the destination";
  if (own.has(nexthop)) return "the nexthop is used by router";
  if (!reachable.some((subnet) => subnetContains(subnet, nexthop))) return "the nexthop is not connected with router";
  return undefined;
}

/** A route that could not be taken any more once the router has lost `lost`, if there is one. */
export function routeThrough(router: RouterRow, lost: readonly ConnectedSubnet["subnet"][]): Route | undefined {
  return routesOf(router).find((route) => lost.some((subnet) => subnetContains(subnet, route.nexthop)));
}
