// What can be done with a subnet pool beside changing its attributes: prefixes one by one, and subnets that are there already.
import { type Cidr, formatCidr } from "../../model/addresses.ts";
import { blocksOf, rangesMeet, withoutRanges } from "../../model/prefixes.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { storedCidr } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { inChunks, type SubnetPoolRow, type SubnetRow } from "../store/rows.ts";
import type { Attributes } from "./resource-service.ts";
import { lockRoutersOn, touchRouters } from "./router-rows.ts";
import { forbidden, type ServiceDeps, timestamp } from "./service-deps.ts";
import { touchRows } from "./standard-rows.ts";
import type { ChangeTarget, StandardService } from "./standard-service.ts";
import { readTaken } from "./subnet-blocks.ts";
import { askedBlocks, poolVersion, prefixesJson, storedBlocks } from "./subnet-pool-rules.ts";
import { lockNetwork, ownsNetwork } from "./visibility.ts";

export class SubnetPoolActions {
  readonly #deps: ServiceDeps;
  readonly #pools: StandardService<SubnetPoolRow>;

  constructor(deps: ServiceDeps, pools: StandardService<SubnetPoolRow>) {
    this.#deps = deps;
    this.#pools = pools;
  }

  /** Answers all prefixes of the pool, as every action on them does. */
  async addPrefixes(target: ChangeTarget, prefixes: readonly string[]): Promise<unknown> {
    return this.#changePrefixes(target, async (_trx, pool) => {
      const version = poolVersion(pool);
      const added = prefixes.length === 0 ? [] : askedBlocks(prefixes, version);
      return prefixesJson(version, [...storedBlocks(pool), ...added]);
    });
  }

  async removePrefixes(target: ChangeTarget, prefixes: readonly string[]): Promise<unknown> {
    return this.#changePrefixes(target, async (trx, pool) => {
      const version = poolVersion(pool);
      const removed = prefixes.length === 0 ? [] : askedBlocks(prefixes, version);
      const before = storedBlocks(pool);
      if (!rangesMeet(before, removed)) return pool.prefixes;
      await checkUnused(trx, pool, removed);
      const left = withoutRanges(before, removed).flatMap((range) => blocksOf(version, range));
      if (left.length === 0) throw new ApiFault("EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.");
      return prefixesJson(version, left);
    });
  }

  async #changePrefixes(
    target: ChangeTarget,
    prefixesOf: (trx: Trx, pool: SubnetPoolRow) => Promise<string>,
  ): Promise<unknown> {
    const pool = await this.#deps.store.transaction((trx) =>
      this.#pools.changeInTransaction(trx, target, {
        changes: {},
        wanted: async (before) => ({ ...before, prefixes: await prefixesOf(trx, before) }),
      }),
    );
    return pool["prefixes"];
  }

  /** All subnets of the pool's family on a network of the caller become the pool's. Answers `{id, cidr}` of each. */
  async onboard(target: ChangeTarget, networkId: string): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      const { context } = target;
      const routers = await lockRoutersOn(trx, networkId);
      const network = await lockNetwork(trx, this.#deps.store, { context, id: networkId, lock: "whole" });
      if (!ownsNetwork(context, network)) throw forbidden(`onboarding subnets of network ${networkId}`);
      let subnets: readonly SubnetRow[] = [];
      await this.#pools.changeInTransaction(trx, target, {
        changes: {},
        wanted: async (before) => {
          subnets = await readSubnets(trx, networkId, before);
          await checkApart(trx, before, subnets);
          const blocks = [...storedBlocks(before), ...subnets.map(storedCidr)];
          return { ...before, prefixes: prefixesJson(poolVersion(before), blocks) };
        },
      });
      await this.#takeOver(trx, target.id, subnets);
      if (subnets.length > 0) await touchRouters(trx, this.#deps, { ids: routers.map((router) => router.id) });
      return subnets.map(({ id, cidr }) => ({ id, cidr }));
    });
  }

  /** Agents of DHCP see no difference. */
  async #takeOver(trx: Trx, poolId: string, subnets: readonly SubnetRow[]): Promise<void> {
    const updatedAt = timestamp(this.#deps);
    await inChunks(subnets, async (piece) => {
      await trx
        .updateTable("subnets")
        .set((eb) => ({
          subnetpool_id: poolId,
          revision_number: eb("revision_number", "+", 1),
          updated_at: updatedAt,
        }))
        .where(
          "id",
          "in",
          piece.map((subnet) => subnet.id),
        )
        .execute();
      return [];
    });
    await touchRows(trx, this.#deps, { table: "networks", ids: subnets.map((subnet) => subnet.network_id) });
  }
}

function readSubnets(trx: Trx, networkId: string, pool: SubnetPoolRow): Promise<readonly SubnetRow[]> {
  return trx
    .selectFrom("subnets")
    .selectAll()
    .where("network_id", "=", networkId)
    .where("ip_version", "=", pool.ip_version)
    .orderBy("id")
    .execute();
}

async function checkUnused(trx: Trx, pool: SubnetPoolRow, removed: readonly Cidr[]): Promise<void> {
  if (!rangesMeet(await readTaken(trx, pool.id), removed)) return;
  throw new ApiFault(
    "IllegalSubnetPoolPrefixUpdate",
    "Illegal update to prefixes: One or more of the prefixes to be removed is in use by a subnet.",
  );
}

/** What is taken from the pool already stays whose it is. */
async function checkApart(trx: Trx, pool: SubnetPoolRow, subnets: readonly SubnetRow[]): Promise<void> {
  const taken = await readTaken(trx, pool.id);
  const guest = subnets.find((subnet) => rangesMeet(taken, [storedCidr(subnet)]));
  if (guest === undefined) return;
  throw new ApiFault(
    "IllegalSubnetPoolUpdate",
    `Illegal subnetpool update: Onboarding subnet ${guest.id}: ${formatCidr(storedCidr(guest))} conflicts with allocated prefixes in subnet pool ${pool.id}.`,
  );
}
