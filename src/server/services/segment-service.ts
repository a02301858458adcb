// Use cases of segments: the parts of networks, one by one.
import { ApiFault } from "../../types/api-faults.ts";
import { segmentResource } from "../../types/resources/segments.ts";
import type { Trx } from "../store/database.ts";
import type { ListedTable } from "../store/list-rows.ts";
import { readSegments, type SegmentRow } from "../store/network-segments.ts";
import { locksRows, type NetworkRow } from "../store/rows.ts";
import { agentSeesChange, networkItem, networkModel } from "../store/stream-items.ts";
import { checkedCarrier } from "./network-carriers.ts";
import { changedNetworkRow } from "./network-rules.ts";
import { newSegmentRow, removeSegment } from "./network-segments.ts";
import { defaultNetworkSettings } from "./network-settings.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { lockRoutersOn, touchRoutersOn } from "./router-rows.ts";
import { SegmentChooser } from "./segment-chooser.ts";
import {
  checkRevision,
  forbidden,
  has,
  missing,
  number,
  type ServiceDeps,
  text,
  textOrNull,
  timestamp,
} from "./service-deps.ts";
import { StandardReader } from "./standard-service.ts";
import { lockNetwork } from "./visibility.ts";

const listed: ListedTable = {
  table: "network_segments",
  columns: {
    id: "id",
    network_id: "network_id",
    network_type: "network_type",
    physical_network: "physical_network",
    segmentation_id: "segmentation_id",
    name: "name",
    description: "description",
    revision_number: "revision_number",
    created_at: "created_at",
    updated_at: "updated_at",
  },
  filters: {},
};

const present = (row: SegmentRow): Attributes => {
  const { position: _position, ...attributes } = row;
  return attributes;
};

export class SegmentService implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<SegmentRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    this.#reader = new StandardReader(deps.store, {
      resource: segmentResource,
      listed,
      // For administrators: the route has made sure.
      visible: () => undefined,
      present: async (_db, rows: readonly SegmentRow[]) => rows.map(present),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    if (!context.isAdmin) throw forbidden("create_segment");
    const rows = await this.#deps.store.transaction(async (trx) => {
      const made: SegmentRow[] = [];
      for (const body of bodies) made.push(await this.#createOne(trx, context, body));
      return made;
    });
    return rows.map(present);
  }

  async #createOne(trx: Trx, context: RequestContext, body: Attributes): Promise<SegmentRow> {
    const network = await this.#lockWhole(trx, context, text(body["network_id"]) ?? "");
    const before = (await readSegments(trx, [network.id])).get(network.id) ?? [];
    const wish = checkedCarrier({
      network_type: text(body["network_type"]) ?? "",
      physical_network: text(body["physical_network"]) ?? null,
      segmentation_id: number(body["segmentation_id"]) ?? null,
    });
    const chooser = new SegmentChooser(trx, this.#deps.network);
    const [carrier = wish] = await chooser.settle(network.project_id, [wish]);
    const position = (before.at(-1)?.position ?? -1) + 1;
    const fresh = newSegmentRow(carrier, { networkId: network.id, position, now: timestamp(this.#deps) });
    const row = { ...fresh, name: textOrNull(body["name"]) ?? null, description: text(body["description"]) ?? "" };
    await trx.insertInto("network_segments").values(row).execute();
    await this.#touchNetwork(trx, network, { before, after: [...before, row] });
    return row;
  }

  async update(_context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    const after = await this.#deps.store.transaction(async (trx) => {
      const before = await this.#lock(trx, id, expectedRevision);
      const wanted = {
        ...before,
        name: has(changes, "name") ? (textOrNull(changes["name"]) ?? null) : before.name,
        description: text(changes["description"]) ?? before.description,
      };
      if (wanted.name === before.name && wanted.description === before.description) return before;
      const row = { ...wanted, revision_number: before.revision_number + 1, updated_at: timestamp(this.#deps) };
      await trx.updateTable("network_segments").set(row).where("id", "=", id).execute();
      return row;
    });
    return present(after);
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const found = await trx.selectFrom("network_segments").select("network_id").where("id", "=", id).executeTakeFirst();
      if (found === undefined) throw missing(segmentResource, id);
      const network = await this.#lockWhole(trx, context, found.network_id);
      await this.#lock(trx, id, expectedRevision);
      const before = (await readSegments(trx, [network.id])).get(network.id) ?? [];
      if (before.length === 1) await refuseLast(trx, id, network);
      await removeSegment(trx, id);
      await this.#touchNetwork(trx, network, { before, after: before.filter((row) => row.id !== id) });
    });
  }

  /** Routers before networks, as everywhere. */
  async #lockWhole(trx: Trx, context: RequestContext, id: string): Promise<NetworkRow> {
    await lockRoutersOn(trx, id);
    return lockNetwork(trx, this.#deps.store, { context, id, lock: "whole" });
  }

  async #lock(trx: Trx, id: string, expectedRevision: number | undefined): Promise<SegmentRow> {
    const row = await trx
      .selectFrom("network_segments")
      .selectAll()
      .where("id", "=", id)
      .$if(locksRows(this.#deps.store.dialect), (query) => query.forUpdate())
      .executeTakeFirst();
    if (row === undefined) throw missing(segmentResource, id);
    checkRevision("segment", id, row.revision_number, expectedRevision);
    return row;
  }

  /** Its MTU may be another one now; whoever carries it is told. */
  async #touchNetwork(
    trx: Trx,
    network: NetworkRow,
    carriers: { readonly before: readonly SegmentRow[]; readonly after: readonly SegmentRow[] },
  ): Promise<void> {
    const settings = this.#deps.network ?? defaultNetworkSettings;
    const wanted = changedNetworkRow(network, {}, { ...carriers, settings });
    const row = { ...wanted, revision_number: network.revision_number + 1, updated_at: timestamp(this.#deps) };
    await trx.updateTable("networks").set(row).where("id", "=", network.id).execute();
    if (agentSeesChange(networkModel(network), networkModel(row))) {
      await this.#deps.events.recordItems(trx, network.id, [networkItem(row)]);
    }
    await touchRoutersOn(trx, this.#deps, network.id);
  }
}

async function refuseLast(trx: Trx, id: string, network: NetworkRow): Promise<void> {
  const port = await trx
    .selectFrom("ports")
    .select("id")
    .where("network_id", "=", network.id)
    .where("binding_host_id", "!=", "")
    .limit(1)
    .executeTakeFirst();
  if (port === undefined) return;
  const why = `Segment '${id}' cannot be deleted: it is the only one of network ${network.id}, and port ${port.id} is bound to a host.`;
  throw new ApiFault("SegmentInUse", why);
}
