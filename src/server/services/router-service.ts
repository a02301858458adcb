// Use cases of routers.
import type { Route } from "../../model/router.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { routerResource } from "../../types/resources/routers.ts";
import type { Trx } from "../store/database.ts";
import { always, type ListedTable, standardColumns } from "../store/list-rows.ts";
import { plugAddedPorts, unhostEverywhere } from "../store/router-hosting.ts";
import { chunks, flag, type RouterRow } from "../store/rows.ts";
import { readLimit, takeQuota } from "./quota-guard.ts";
import { checkPoliciesUsable } from "./qos-policy-rows.ts";
import type { Attributes, ListQuery, RequestContext } from "./resource-service.ts";
import {
  changedGatewayPolicy,
  changeGateway,
  checkGatewayRights,
  gatewayInfoOf,
  removeGateway,
  snatOf,
} from "./router-gateway.ts";
import { setUpHa, tearDownHa } from "./router-ha.ts";
import { addInterface, removeInterface } from "./router-interfaces.ts";
import { presentRouters } from "./router-present.ts";
import { checkRouteCount, checkRoutes, routesOf, withoutRoutes, withRoutes } from "./router-routes.ts";
import { audienceOf, lockRouter, readPortsOf, touchRouters, visibleRouters } from "./router-rows.ts";
import type { InterfaceRequest, RouterAction, RouterService, RouteRequest } from "./router-service-types.ts";
import { readConnectedSubnets } from "./router-subnets.ts";
import { hasFloatingIps } from "./router-uses.ts";
import { has, listJson, type ServiceDeps, timestamp } from "./service-deps.ts";
import { changedFlag, newNamedRow, renamed } from "./standard-rows.ts";
import { StandardReader } from "./standard-service.ts";

const listed: ListedTable = {
  table: "routers",
  columns: {
    ...standardColumns,
    admin_state_up: "admin_state_up",
    status: "status",
    enable_snat: "enable_snat",
    ha: "ha",
    // The same for all routers, which are told apart by their ids.
    flavor_id: "id",
    evpn_vni: "id",
  },
  filters: { enable_ndp_proxy: always(false), evpn_vni: always(null) },
};

export function createRouterService(deps: ServiceDeps): RouterService {
  return new Routers(deps);
}

class Routers implements RouterService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<RouterRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    const spec = { resource: routerResource, listed, visible: visibleRouters, present: presentRouters };
    this.#reader = new StandardReader(deps.store, spec);
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      const rows = bodies.map((body) => newRouterRow(context, body, timestamp(this.#deps)));
      await takeQuota(trx, this.#deps, { resource: "router", projectIds: rows.map((row) => row.project_id) });
      await checkPoliciesUsable(
        trx,
        context,
        rows.map((row) => row.qos_policy_id),
      );
      for (const piece of chunks(rows)) await trx.insertInto("routers").values(piece).execute();
      for (const [index, router] of rows.entries()) {
        if (router.ha === 1) await setUpHa(trx, this.#deps, router);
        const info = gatewayInfoOf(bodies[index]?.["external_gateway_info"]) ?? null;
        checkGatewayRights(context, info);
        await changeGateway(trx, this.#deps, { context, router, info });
        if (info !== null) await this.#deps.events.scheduleRouter?.(trx, router.id);
      }
      return presentRouters(trx, await readRows(trx, rows));
    });
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    return this.#change({ context, id, expectedRevision }, async (trx, before) => {
      const info = gatewayInfoOf(changes["external_gateway_info"]);
      checkGatewayRights(context, info, before);
      const wanted = changedRouterRow(before, changes);
      // With the routes that it is to have: what they do not need any more may go in the same step.
      const isMoved = info !== undefined && (await changeGateway(trx, this.#deps, { context, router: wanted, info }));
      const qos_policy_id = await changedGatewayPolicy(trx, context, { before, info });
      const row = info === undefined ? wanted : { ...wanted, enable_snat: snatOf(info), qos_policy_id };
      if (has(changes, "routes")) await this.#checkRoutes(trx, row);
      return { row, isMoved: (await this.#changeHa(trx, before, row)) || isMoved };
    });
  }

  /** It begins anew as the other kind, which its hosts have nothing of. */
  async #changeHa(trx: Trx, before: RouterRow, after: RouterRow): Promise<boolean> {
    if (before.ha === after.ha) return false;
    await unhostEverywhere(trx, before.id, audienceOf(this.#deps));
    if (after.ha === 1) await setUpHa(trx, this.#deps, after);
    else await tearDownHa(trx, before);
    return true;
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const router = await lockRouter(trx, { context, id, expectedRevision, lock: "delete" });
      const ports = await readPortsOf(trx, id);
      if (ports.some((port) => port.kind === "interface") || (await hasFloatingIps(trx, id))) {
        throw new ApiFault("RouterInUse", `Router ${id} still has ports`);
      }
      await unhostEverywhere(trx, id, audienceOf(this.#deps));
      const gateway = ports.find((port) => port.kind === "gateway");
      const bare = { ...router, routes: "[]" };
      if (gateway !== undefined) await removeGateway(trx, this.#deps, { router: bare, gateway });
      if (router.ha === 1) await tearDownHa(trx, router);
      // Before it, so that notes of them can say whose they were.
      await trx.deleteFrom("conntrack_helpers").where("router_id", "=", id).execute();
      await trx.deleteFrom("routers").where("id", "=", id).execute();
    });
  }

  addInterface(action: RouterAction, request: InterfaceRequest): Promise<Attributes> {
    const { context } = action;
    return this.#changeInterface(action, (trx, router) => addInterface(trx, this.#deps, { context, router, request }));
  }

  removeInterface(action: RouterAction, request: InterfaceRequest): Promise<Attributes> {
    const { context } = action;
    return this.#changeInterface(action, (trx, router) => removeInterface(trx, this.#deps, { context, router, request }));
  }

  addRoutes(action: RouterAction, routes: readonly RouteRequest[]): Promise<Attributes> {
    return this.#changeRoutes(action, (before) => withRoutes(before, routes));
  }

  removeRoutes(action: RouterAction, routes: readonly RouteRequest[]): Promise<Attributes> {
    return this.#changeRoutes(action, (before) => withoutRoutes(before, routes));
  }

  #changeRoutes(change: RouterAction, next: (before: readonly Route[]) => readonly Route[]): Promise<Attributes> {
    return this.#change(change, async (trx, before) => {
      const row = { ...before, routes: JSON.stringify(next(routesOf(before))) };
      await this.#checkRoutes(trx, row);
      return { row, isMoved: false };
    });
  }

  async #checkRoutes(trx: Trx, router: RouterRow): Promise<void> {
    const routes = routesOf(router);
    const counted = { resource: "router_route", projectId: router.project_id } as const;
    checkRouteCount(router.id, routes, await readLimit(trx, this.#deps, counted));
    const ports = await readPortsOf(trx, router.id);
    checkRoutes(routes, { ports, connected: await readConnectedSubnets(trx, ports) });
  }

  #changeInterface(change: RouterAction, work: (trx: Trx, router: RouterRow) => Promise<Attributes>): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const router = await lockRouter(trx, change);
      const answer = await work(trx, router);
      await this.#tellMoved(trx, router.id);
      return answer;
    });
  }

  /** Its ports changed. */
  async #tellMoved(trx: Trx, id: string): Promise<void> {
    await plugAddedPorts(trx, id);
    await touchRouters(trx, this.#deps, { ids: [id], wakes: true });
    await this.#deps.events.scheduleRouter?.(trx, id);
  }

  /** `isMoved`: its ports changed, which the row does not show. */
  #change(
    change: RouterAction,
    work: (trx: Trx, before: RouterRow) => Promise<{ readonly row: RouterRow; readonly isMoved: boolean }>,
  ): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const before = await lockRouter(trx, change);
      const { row, isMoved } = await work(trx, before);
      const isChanged = JSON.stringify(row) !== JSON.stringify(before);
      if (isChanged) await trx.updateTable("routers").set(row).where("id", "=", row.id).execute();
      if (isMoved) await this.#tellMoved(trx, row.id);
      else if (isChanged) await touchRouters(trx, this.#deps, { ids: [row.id] });
      const [answer = {}] = await presentRouters(trx, await readRows(trx, [row]));
      return answer;
    });
  }
}

async function readRows(trx: Trx, rows: readonly RouterRow[]): Promise<readonly RouterRow[]> {
  const ids = rows.map((row) => row.id);
  const found = await trx.selectFrom("routers").selectAll().where("id", "in", ids).execute();
  const byId = new Map(found.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

function newRouterRow(context: RequestContext, body: Attributes, now: string): RouterRow {
  return {
    ...newNamedRow(context, body, now),
    admin_state_up: flag(body["admin_state_up"] ?? true),
    // Nothing is asked of any host yet, so nothing fails; an agent that cannot do what it is asked says so.
    status: "ACTIVE",
    status_reason: null,
    status_from_revision: 1,
    enable_snat: snatOf(gatewayInfoOf(body["external_gateway_info"]) ?? null),
    ha: flag(body["ha"]),
    is_parked: 0,
    routes: "[]",
    availability_zone_hints: listJson(body["availability_zone_hints"]),
    qos_policy_id: gatewayInfoOf(body["external_gateway_info"])?.qos_policy_id ?? null,
  };
}

/** The row as the client wants it, but for its gateway; same revision. */
function changedRouterRow(before: RouterRow, changes: Attributes): RouterRow {
  const row: RouterRow = {
    ...renamed(before, changes),
    admin_state_up: changedFlag(changes, "admin_state_up", before.admin_state_up),
    ha: changes["ha"] === null ? before.ha : changedFlag(changes, "ha", before.ha),
    routes: has(changes, "routes") ? listJson(changes["routes"]) : before.routes,
  };
  // What counts is what it is to be: clients switch it off and change it in one request.
  if (row.ha !== before.ha && row.admin_state_up === 1) {
    const message = `Cannot change HA attribute of active router ${row.id}. Please set router admin_state_up to False first.`;
    throw new ApiFault("BadRequest", message);
  }
  return row;
}
