// Gives carriers to the networks of one transaction: those that were asked for if nobody has them, and free ones of the ranges
// where nothing was asked for.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { type Carrier, firstFreeSegment, type NumberedType } from "../store/network-segments.ts";
import { hasRowLocks } from "../store/rows.ts";
import { carrierKey, inUse, isUnsettled } from "./network-carriers.ts";
import { defaultNetworkSettings, type NetworkSettings } from "./network-settings.ts";
import { type RangeRow, type Span, spansFor } from "./segment-spans.ts";

interface Choice {
  readonly projectId: string;
  readonly type: NumberedType;
  readonly physicalNetwork: string | null;
}

export class SegmentChooser {
  readonly #trx: Trx;
  readonly #settings: NetworkSettings;
  /** Settled here and perhaps not written yet. */
  readonly #given = new Set<string>();

  constructor(trx: Trx, settings: NetworkSettings = defaultNetworkSettings) {
    this.#trx = trx;
    this.#settings = settings;
  }

  /**
   * Throws VlanIdInUse and its kin, NoNetworkAvailable. Two transactions that want the same wire are told apart by unique
   * indexes: the one that loses runs again.
   *
   * @param wishes `undefined`: the first type for tenants that has a free one.
   */
  async settle(projectId: string, wishes: readonly Carrier[] | undefined): Promise<readonly Carrier[]> {
    if (wishes === undefined) return [await this.#forTenant(projectId)];
    const settled: Carrier[] = [];
    for (const wish of wishes) settled.push(await this.#settleOne(projectId, wish));
    return settled;
  }

  async #forTenant(projectId: string): Promise<Carrier> {
    for (const type of this.#settings.tenantTypes) {
      if (type === "local") return { network_type: "local", physical_network: null, segmentation_id: null };
      const chosen = await this.#choose({ projectId, type, physicalNetwork: null });
      if (chosen !== undefined) return chosen;
    }
    throw noneFree(this.#settings.tenantTypes.join(" or "));
  }

  async #settleOne(projectId: string, wish: Carrier): Promise<Carrier> {
    if (isUnsettled(wish)) {
      const { network_type: type, physical_network: physicalNetwork } = wish;
      const chosen = await this.#choose({ projectId, type, physicalNetwork });
      if (chosen === undefined) throw noneFree(physicalNetwork === null ? type : `${type} on ${physicalNetwork}`);
      return chosen;
    }
    if (wish.network_type === "local") return wish;
    if (this.#given.has(carrierKey(wish)) || (await this.#isTaken(wish))) throw inUse(wish);
    this.#given.add(carrierKey(wish));
    return wish;
  }

  async #choose(choice: Choice): Promise<Carrier | undefined> {
    // Whoever chooses holds the rows of the type, so that no two find the same id.
    const ranges = await this.#trx
      .selectFrom("network_segment_ranges")
      .selectAll()
      .where("network_type", "=", choice.type)
      .orderBy("id")
      .$if(hasRowLocks(this.#trx), (query) => query.forUpdate())
      .execute();
    for (const span of spansFor(ranges, choice)) {
      const carrier = await this.#freeIn(span, choice.type);
      if (carrier === undefined) continue;
      await this.#moveCursor(span.range, carrier);
      this.#given.add(carrierKey(carrier));
      return carrier;
    }
    return undefined;
  }

  async #freeIn({ range, first, last }: Span, type: NumberedType): Promise<Carrier | undefined> {
    const { physical_network } = range;
    for (let from = first; from <= last; ) {
      const segmentation_id = await firstFreeSegment(this.#trx, { type, physicalNetwork: physical_network, first: from, last });
      if (segmentation_id === undefined) return undefined;
      const carrier = { network_type: type, physical_network, segmentation_id };
      if (!this.#given.has(carrierKey(carrier))) return carrier;
      from = segmentation_id + 1;
    }
    return undefined;
  }

  async #moveCursor({ id }: RangeRow, { segmentation_id }: Carrier): Promise<void> {
    const next_id = (segmentation_id ?? 0) + 1;
    await this.#trx.updateTable("network_segment_ranges").set({ next_id }).where("id", "=", id).execute();
  }

  async #isTaken({ network_type, physical_network, segmentation_id }: Carrier): Promise<boolean> {
    const other = await this.#trx
      .selectFrom("network_segments")
      .select("id")
      .where("network_type", "=", network_type)
      .$if(physical_network !== null, (query) => query.where("physical_network", "=", physical_network))
      .$if(segmentation_id !== null, (query) => query.where("segmentation_id", "=", segmentation_id))
      .limit(1)
      .executeTakeFirst();
    return other !== undefined;
  }
}

function noneFree(what: string): ApiFault {
  return new ApiFault("NoNetworkAvailable", `Unable to create the network. No range has a free segment left: ${what}.`);
}
