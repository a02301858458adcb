// What the services of networks, subnets and ports share: their dependencies, and the rules that are the same for all three.
import type { Clock } from "../../base/clock.ts";
import { formatTimestamp } from "../../base/clock.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { floatingIpResource } from "../../types/resources/floating-ips.ts";
import { networkResource } from "../../types/resources/networks.ts";
import { portForwardingResource } from "../../types/resources/port-forwardings.ts";
import { portResource } from "../../types/resources/ports.ts";
import { routerResource } from "../../types/resources/routers.ts";
import { subnetResource } from "../../types/resources/subnets.ts";
import type { Store, Trx } from "../store/database.ts";
import type { NetworkSettings } from "./network-settings.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";

export interface ServiceEvents {
  /** Writes the items to the streams of all hosts that serve the network, in this transaction; answers those, if it knows. */
  recordItems(trx: Trx, networkId: string, items: readonly StreamItem[]): Promise<readonly unknown[] | undefined>;
  /**
   * Gives the network to an agent if it needs one and has none. A newly bound host is sent the network as it is then, so
   * this is the last call of a transaction.
   *
   * @param receivers how many hosts this transaction has just recorded items for: with enough of them nothing is looked up
   */
  scheduleNetwork(trx: Trx, networkId: string, receivers?: number): Promise<unknown>;
  /** The same for a router: the last call of a transaction. Absent where there are no L3 agents. */
  scheduleRouter?(trx: Trx, routerId: string): Promise<unknown>;
}

export interface ServiceDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly events: ServiceEvents;
  /** Domain in `dns_assignment` where a network has none of its own. */
  readonly defaultDnsDomain?: string;
  /** Limits of projects that have none of their own, by what is counted; what is not named has none. */
  readonly quotaDefaults?: Readonly<Record<string, number>>;
  /** What the operator says about the wires; without it networks are local. */
  readonly network?: NetworkSettings;
  /** Agents that are switched off keep what they have. */
  readonly servesDisabled?: boolean;
}

/** The server itself, for ports that an agent asks for. Its objects belong to the project of their network. */
export const serverContext: RequestContext = { requestId: "req-server", projectId: "", isAdmin: true };

export const timestamp = (deps: ServiceDeps): string => formatTimestamp(deps.clock.nowMs());

/** Either name may be sent; the route has refused two different values. */
export function projectOf(context: RequestContext, body: Attributes): string {
  return text(body["project_id"]) ?? text(body["tenant_id"]) ?? context.projectId;
}

export function checkRevision(kind: string, id: string, current: number, expected: number | undefined): void {
  if (expected === undefined || expected === current) return;
  const message = `Constrained to ${expected}, but current revision of ${kind} ${id} is ${current}`;
  throw new ApiFault("RevisionNumberConstraintFailed", message);
}

export function missing({ notFound: type, title }: Pick<ResourceDeclaration, "notFound" | "title">, id: string): ApiFault {
  return new ApiFault(type, `${title} ${id} could not be found.`);
}

const often = {
  network: networkResource,
  subnet: subnetResource,
  port: portResource,
  router: routerResource,
  floatingip: floatingIpResource,
  port_forwarding: portForwardingResource,
} as const satisfies Readonly<Record<string, ResourceDeclaration>>;

/** `missing` of what is missed often. */
export const notFound = (kind: keyof typeof often, id: string): ApiFault => missing(often[kind], id);

const maxNamed = 10;

/** Ids inside a message: enough of them to begin with, and how many there are. */
export function someOf(ids: readonly string[]): string {
  if (ids.length <= maxNamed) return ids.join(", ");
  return `${ids.slice(0, maxNamed).join(", ")} and ${ids.length - maxNamed} more (${ids.length} in all)`;
}

export function forbidden(what: string): ApiFault {
  return new ApiFault("PolicyNotAuthorized", `${what} is disallowed by policy`);
}

// Attributes have been checked by the route: these only give them their type back.
export const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
export const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** null stays: it is what a client sends to clear an attribute. */
export function textOrNull(value: unknown): string | null | undefined {
  return value === null ? null : text(value);
}

/** JSON text of a list attribute; null and unset are the empty list. */
export const listJson = (value: unknown): string => JSON.stringify(value ?? []);

/** `changes` has the attribute; its value may be null. */
export const has = (changes: Attributes, attribute: string): boolean => changes[attribute] !== undefined;
