// Leases as the agents reported them: what DHCP servers really gave out, beside what ports say.
import { type SqlBool, sql } from "kysely";
import { leaseResource } from "../../types/resources/leases.ts";
import type { Store } from "../store/database.ts";
import { anyOf, columnIn, type Condition, type ListedTable } from "../store/list-rows.ts";
import { type LeaseRow, presentLease } from "./lease-records.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";
import { StandardReader } from "./standard-service.ts";

const listed: ListedTable = {
  table: "leases",
  columns: {
    id: "id",
    network_id: "network_id",
    // Addresses are in the order of their numbers, not of their letters.
    ip_address: "ip_key",
    port_id: "port_id",
    mac_address: "mac_address",
    hostname: "hostname",
    expires_at: "expires_at",
    last_seen_at: "last_seen_at",
    host: "host",
  },
  filters: {
    ip_address: (values) => columnIn("ip_address", values),
    seenSince: (values) => anyOf(values.map((value) => sql<SqlBool>`last_seen_at >= ${value}`)),
  },
};

export class LeaseService implements ResourceReader {
  readonly #reader: StandardReader<LeaseRow>;

  constructor(store: Store) {
    this.#reader = new StandardReader(store, {
      resource: leaseResource,
      listed,
      visible: visibleLeases,
      present: async (_db, rows: readonly LeaseRow[]) => rows.map(presentLease),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const { changedSince, filters, ...others } = query;
    const seen = changedSince === undefined ? [] : [{ attribute: "seenSince", values: [changedSince] }];
    return this.#reader.list(context, { ...others, filters: [...filters, ...seen] });
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }
}

/** Those of one's own ports and of all on one's own networks; `undefined`, everything, for an administrator. */
function visibleLeases({ isAdmin, projectId }: RequestContext): Condition | undefined {
  if (isAdmin) return undefined;
  return sql<SqlBool>`(network_id in (select id from networks where project_id = ${projectId})
    or port_id in (select id from ports where project_id = ${projectId}))`;
}
