// Port forwardings in the database, and as the agents hear of them.
import type { Trx } from "../store/database.ts";
import { goneItem } from "../store/floating-ip-items.ts";
import { recordFloatingIps } from "../store/router-hosts.ts";
import { chunks, type FloatingIpRow } from "../store/rows.ts";
import { noAssociation, writeAssociation } from "./floating-ip-rows.ts";
import { audienceOf } from "./router-rows.ts";
import { type ServiceDeps, timestamp } from "./service-deps.ts";

export async function countForwardings(trx: Trx, floatingIpId: string): Promise<number> {
  const { count } = await trx
    .selectFrom("port_forwardings")
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where("floatingip_id", "=", floatingIpId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** All of them, or those with these ids; the floating IP is locked. Without any it needs no router. Answers it as it is then. */
export async function removeForwardings(
  trx: Trx,
  deps: ServiceDeps,
  { floating, ids }: { readonly floating: FloatingIpRow; readonly ids: readonly string[] | undefined },
): Promise<FloatingIpRow> {
  const rows = await trx.selectFrom("port_forwardings").selectAll().where("floatingip_id", "=", floating.id).execute();
  const gone = rows.filter((row) => ids === undefined || ids.includes(row.id));
  if (gone.length === 0) return floating;
  const router = floating.router_id;
  if (router !== null) {
    const items = gone.map(({ id, revision_number }) =>
      goneItem("port-forwarding", { id, router, revision: revision_number + 1 }),
    );
    await recordFloatingIps(trx, items, audienceOf(deps));
  }
  for (const piece of chunks(gone)) {
    await trx
      .deleteFrom("port_forwardings")
      .where(
        "id",
        "in",
        piece.map((row) => row.id),
      )
      .execute();
  }
  if (gone.length < rows.length) return bumpFloatingIp(trx, deps, floating);
  return writeAssociation(trx, deps, { before: floating, association: noAssociation });
}

/** What it is made of has changed, but nothing that an agent is told with it. */
export async function bumpFloatingIp(trx: Trx, deps: ServiceDeps, floating: FloatingIpRow): Promise<FloatingIpRow> {
  const row = { ...floating, revision_number: floating.revision_number + 1, updated_at: timestamp(deps) };
  await trx.updateTable("floating_ips").set(row).where("id", "=", row.id).execute();
  return row;
}
