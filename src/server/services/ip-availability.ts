// How full networks are: the sizes of their pools, and the addresses that ports have.
import { type Kysely, sql } from "kysely";
import { parseAddress } from "../../model/addresses.ts";
import { networkIpAvailabilityResource } from "../../types/resources/network-ip-availabilities.ts";
import type { Store } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import type { Database } from "../store/schema.ts";
import { listInMemory } from "./list-in-memory.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";
import { missing } from "./service-deps.ts";

/** A network with one of its subnets, or with none. */
interface Row {
  readonly network_id: string;
  readonly network_name: string;
  readonly project_id: string;
  readonly subnet_id: string | null;
  readonly subnet_name: string;
  readonly cidr: string;
  readonly ip_version: number;
  /** JSON: {start, end}[] */
  readonly allocation_pools: string;
  /** PostgreSQL counts in 64 bits, and those are text here. */
  readonly used: number | string;
}

export class IpAvailability implements ResourceReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async list(_context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const versions = query.filters.find((filter) => filter.attribute === "ip_version")?.values;
    const rows = await translated(readRows(this.#store.db));
    const counted = versions === undefined ? rows : rows.filter((row) => versions.includes(row.ip_version));
    const items = [...Map.groupBy(counted, (row) => row.network_id).values()].map(present);
    const filters = query.filters.filter((filter) => filter.attribute !== "ip_version");
    return listInMemory(items, { ...query, filters }, networkIpAvailabilityResource);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const filters = [{ attribute: "network_id", values: [id] }];
    const [item] = await this.list(context, { filters, sorts: [], pageReverse: false });
    if (item === undefined) throw missing(networkIpAvailabilityResource, id);
    return item;
  }
}

async function readRows(db: Kysely<Database>): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`select networks.id as network_id, networks.name as network_name, networks.project_id,
      subnets.id as subnet_id, subnets.name as subnet_name, subnets.cidr, subnets.ip_version, subnets.allocation_pools,
      coalesce(taken.used, 0) as used
    from networks
    left join subnets on subnets.network_id = networks.id
    left join (select subnet_id, count(*) as used from fixed_ips group by subnet_id) taken on taken.subnet_id = subnets.id
    order by networks.id, subnets.created_at, subnets.id`.execute(db);
  return rows;
}

function present(rows: readonly Row[]): Attributes {
  const [{ network_id, network_name, project_id } = { network_id: "", network_name: "", project_id: "" }] = rows;
  const subnets = rows.filter((row) => row.subnet_id !== null).map((row) => ({ row, total: sizeOf(row) }));
  const used = subnets.reduce((sum, { row }) => sum + Number(row.used), 0);
  return {
    // Its own are those of networks; pages go on behind one.
    id: network_id,
    ...{ network_id, network_name, project_id },
    total_ips: exact(subnets.reduce((sum, { total }) => sum + total, 0n)),
    used_ips: used,
    subnet_ip_availability: subnets.map(({ row, total }) => ({
      ...{ subnet_id: row.subnet_id, subnet_name: row.subnet_name, cidr: row.cidr, ip_version: row.ip_version },
      total_ips: exact(total),
      used_ips: Number(row.used),
    })),
  };
}

function sizeOf({ allocation_pools: text }: Row): bigint {
  // The cast: we wrote it.
  const pools = JSON.parse(text) as readonly { readonly start: string; readonly end: string }[];
  return pools.reduce((sum, { start, end }) => sum + valueOf(end) - valueOf(start) + 1n, 0n);
}

const valueOf = (address: string): bigint => parseAddress(address)?.value ?? 0n;

// The cast: the type of JSON is older than the engine.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** A number in JSON with all its digits: an IPv6 subnet has more addresses than a double can count. */
const exact = (size: bigint): unknown => (size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(size) : rawJSON(String(size)));
