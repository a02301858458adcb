// Conntrack helpers of routers: kept; nothing applies them.
import { randomUUID } from "node:crypto";
import { type Selectable, type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { conntrackHelperResource, helperProtocols } from "../../types/resources/conntrack-helpers.ts";
import { routerResource } from "../../types/resources/routers.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerSubCollection } from "../api/collection-routes.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "../services/resource-service.ts";
import { bumpRouters, lockRouter, visibleRouters } from "../services/router-rows.ts";
import { missing, notFound, number, type ServiceDeps, text } from "../services/service-deps.ts";
import { StandardReader } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import type { ConntrackHelpersTable } from "../store/schema-kept.ts";

type Row = Selectable<ConntrackHelpersTable>;

/** Without its alias, which would promise that routers follow such connections; docs/decisions/0022 says why. */
export function conntrackHelperPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [],
    extensions: [],
    register: (app) =>
      registerSubCollection(app, {
        parent: routerResource,
        resource: conntrackHelperResource,
        serviceOf: (routerId) => new ConntrackHelpers(deps, routerId),
      }),
  };
}

const present = ({ id, protocol, port, helper }: Row): Attributes => ({ id, protocol, port, helper });

class ConntrackHelpers implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #routerId: string;
  readonly #reader: StandardReader<Row>;

  constructor(deps: ServiceDeps, routerId: string) {
    this.#deps = deps;
    this.#routerId = routerId;
    this.#reader = new StandardReader<Row>(deps.store, {
      resource: conntrackHelperResource,
      listed: {
        table: "conntrack_helpers",
        columns: { id: "id", protocol: "protocol", port: "port", helper: "helper" },
        filters: {},
      },
      visible: () => sql<SqlBool>`router_id = ${routerId}`,
      present: async (_db, rows) => rows.map(present),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    await this.#checkVisible(context);
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    await this.#checkVisible(context);
    return this.#reader.show(context, id);
  }

  create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#change(context, async (trx) => {
      const rows: Row[] = [];
      for (const body of bodies) {
        const row = helperRow({ id: randomUUID(), router_id: this.#routerId, protocol: "", port: 0, helper: "" }, body);
        await checkHelper(trx, row);
        await trx.insertInto("conntrack_helpers").values(row).execute();
        rows.push(row);
      }
      return rows.map(present);
    });
  }

  update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    return this.#change(context, async (trx) => {
      const row = helperRow(await this.#find(trx, id), changes);
      await checkHelper(trx, row);
      await trx.updateTable("conntrack_helpers").set(row).where("id", "=", id).execute();
      return present(row);
    });
  }

  remove(context: RequestContext, id: string): Promise<void> {
    return this.#change(context, async (trx) => {
      await this.#find(trx, id);
      await trx.deleteFrom("conntrack_helpers").where("id", "=", id).execute();
    });
  }

  /** Under the router's lock; the router has a new revision, of which no agent hears. */
  #change<T>(context: RequestContext, work: (trx: Trx) => Promise<T>): Promise<T> {
    return this.#deps.store.transaction(async (trx) => {
      await lockRouter(trx, { context, id: this.#routerId });
      const answer = await work(trx);
      await bumpRouters(trx, this.#deps, [this.#routerId]);
      return answer;
    });
  }

  async #checkVisible(context: RequestContext): Promise<void> {
    const visible = visibleRouters(context);
    const router = await this.#deps.store.db
      .selectFrom("routers")
      .select("id")
      .where("id", "=", this.#routerId)
      .$if(visible !== undefined, (query) => (visible === undefined ? query : query.where(visible)))
      .executeTakeFirst();
    if (router === undefined) throw notFound("router", this.#routerId);
  }

  async #find(trx: Trx, id: string): Promise<Row> {
    const query = trx.selectFrom("conntrack_helpers").selectAll().where("id", "=", id);
    const row = await query.where("router_id", "=", this.#routerId).executeTakeFirst();
    if (row === undefined) throw missing(conntrackHelperResource, id);
    return row;
  }
}

function helperRow(before: Row, wish: Attributes): Row {
  return {
    ...before,
    protocol: text(wish["protocol"]) ?? before.protocol,
    port: number(wish["port"]) ?? before.port,
    helper: text(wish["helper"]) ?? before.helper,
  };
}

async function checkHelper(trx: Trx, row: Row): Promise<void> {
  const { id, router_id, protocol, port, helper } = row;
  if (helperProtocols[helper]?.includes(protocol) !== true) {
    throw new ApiFault("ConntrackHelperNotAllowed", `Conntrack helper ${helper} does not read protocol ${protocol}.`);
  }
  const same = await trx
    .selectFrom("conntrack_helpers")
    .select("id")
    .where("router_id", "=", router_id)
    .where("protocol", "=", protocol)
    .where("port", "=", port)
    .where("helper", "=", helper)
    .where("id", "!=", id)
    .executeTakeFirst();
  if (same === undefined) return;
  throw new ApiFault(
    "BadRequest",
    `Router ${router_id} has conntrack helper ${helper} for protocol ${protocol} and port ${port} already: ${same.id}.`,
  );
}
