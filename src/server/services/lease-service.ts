// Leases as the agents reported them: what DHCP servers really gave out, beside what ports say.
import { type SqlBool, sql } from "kysely";
import type { Store } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { anyOf, columnIn, type Condition, type ListedTable, listRows } from "../store/list-rows.ts";
import { type LeaseRow, presentLease } from "./lease-records.ts";
import { notFound } from "./list-in-memory.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";

const named = { notFound: "LeaseNotFound", title: "Lease" } as const;

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
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const { changedSince, filters, ...others } = query;
    const seen = changedSince === undefined ? [] : [{ attribute: "seenSince", values: [changedSince] }];
    const found = { listed, query: { ...others, filters: [...filters, ...seen] }, visible: visibleLeases(context) };
    const rows = await translated(listRows<LeaseRow>(this.#store.db, found));
    if (rows === undefined) throw notFound(named, query.marker ?? "");
    return rows.map(presentLease);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const [lease] = await this.list(context, {
      filters: [{ attribute: "id", values: [id] }],
      sorts: [],
      pageReverse: false,
    });
    if (lease === undefined) throw notFound(named, id);
    return lease;
  }
}

/** Those of one's own ports and of all on one's own networks; `undefined`, everything, for an administrator. */
function visibleLeases({ isAdmin, projectId }: RequestContext): Condition | undefined {
  if (isAdmin) return undefined;
  return sql<SqlBool>`(network_id in (select id from networks where project_id = ${projectId})
    or port_id in (select id from ports where project_id = ${projectId}))`;
}
