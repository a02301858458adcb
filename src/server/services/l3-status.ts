// What L3 agents and floating-IP agents report. Each may speak of the routers of its own host only, of one that another host
// forwards for not at all, and only of the state that the server has; the rest of a report is dropped, because a router may have
// moved away while it was under way.
import { type Clock, formatTimestamp } from "../../base/clock.ts";
import type { z } from "zod";
import type { floatingIpStatusReportSchema, routerStatusReportSchema } from "../../types/l3-messages.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { readSpokenFor } from "../store/router-ha-rows.ts";
import { type Audience, lockRouterRows } from "../store/router-hosts.ts";
import { hasRowLocks, inChunks, type RouterRow } from "../store/rows.ts";
import { storeHaStates } from "./router-ha-states.ts";

type RouterReport = z.output<typeof routerStatusReportSchema>;
type FloatingIpReport = z.output<typeof floatingIpStatusReportSchema>;
type FloatingIpStatus = FloatingIpReport["floatingIps"][number];

export class L3Status {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #audience: Audience;

  constructor(store: Store, clock: Clock, audience: Audience) {
    this.#store = store;
    this.#clock = clock;
    this.#audience = audience;
  }

  /** @param agent of role `l3` */
  async storeRouters(agent: AgentRow, { routers, haStates }: RouterReport): Promise<void> {
    if (routers.length + haStates.length === 0) return;
    await this.#store.transaction(async (trx) => {
      const rows = await lockRouterRows(trx, [...routers.map(({ id }) => id), ...haStates.map(({ routerId }) => routerId)]);
      const spokenFor = await readSpokenFor(
        trx,
        agent.host,
        routers.map(({ id }) => id),
      );
      const reports = new Map<string, RouterReport["routers"][number]>(routers.map((report) => [report.id, report]));
      for (const row of rows) {
        const report = spokenFor.has(row.id) ? reports.get(row.id) : undefined;
        if (report === undefined || report.revision < row.status_from_revision) continue;
        const reason = report.status === "ERROR" ? report.reason : null;
        if (report.status === "ACTIVE") await this.#settlePorts(trx, row);
        if (report.status === row.status && reason === row.status_reason) continue;
        await trx
          .updateTable("routers")
          .set((eb) => ({
            status: report.status,
            status_reason: reason,
            updated_at: this.#now,
            revision_number: eb("revision_number", "+", 1),
          }))
          .where("id", "=", row.id)
          .execute();
      }
      await storeHaStates(trx, agent, { routers: rows, states: haStates, now: this.#now, audience: this.#audience });
    });
  }

  /** @param agent of role `fip` */
  async storeFloatingIps(agent: AgentRow, { floatingIps }: FloatingIpReport): Promise<void> {
    if (floatingIps.length === 0) return;
    await this.#store.transaction(async (trx) => {
      const accepted = await this.#acceptable(trx, agent, floatingIps);
      const alike = Map.groupBy(accepted, ({ status, reason }) => JSON.stringify([status, status === "ERROR" ? reason : null]));
      for (const [key, reports] of alike) {
        const [status, status_reason] = JSON.parse(key) as [FloatingIpStatus["status"], string | null];
        await inChunks(
          reports.map(({ id }) => id),
          async (piece) => {
            await trx
              .updateTable("floating_ips")
              .set((eb) => ({ status, status_reason, updated_at: this.#now, revision_number: eb("revision_number", "+", 1) }))
              .where("id", "in", piece)
              .execute();
            return [];
          },
        );
      }
    });
  }

  get #now(): string {
    return formatTimestamp(this.#clock.nowMs());
  }

  /** Those that say something new of what this host has the word on: it serves it, or has served it last. */
  async #acceptable(trx: Trx, agent: AgentRow, reports: readonly FloatingIpStatus[]): Promise<readonly FloatingIpStatus[]> {
    const rows = await inChunks(reports.map(({ id }) => id).sort(), (piece) =>
      trx
        .selectFrom("floating_ips")
        .selectAll()
        .where("id", "in", piece)
        .orderBy("id")
        .$if(hasRowLocks(trx), (query) => query.forUpdate())
        .execute(),
    );
    const servers = rows.flatMap((row) => row.router_id ?? row.last_known_router_id ?? []);
    const spokenFor = await readSpokenFor(trx, agent.host, servers);
    const byId = new Map<string, (typeof rows)[number]>(rows.map((row) => [row.id, row]));
    return reports.filter(({ id, revision, status, reason }) => {
      const row = byId.get(id);
      if (row === undefined || revision < row.status_from_revision) return false;
      if (!spokenFor.has(row.router_id ?? row.last_known_router_id ?? "")) return false;
      // What leads nowhere can only be gone, or refuse to go.
      if (row.router_id === null && status === "ACTIVE") return false;
      return row.status !== status || row.status_reason !== (status === "ERROR" ? reason : null);
    });
  }

  /** A router that works does so with all its ports that are switched on; one that is switched off with none. */
  async #settlePorts(trx: Trx, { id, admin_state_up: isUp }: RouterRow): Promise<void> {
    await trx
      .updateTable("ports")
      .set((eb) => ({
        status: isUp === 1 ? "ACTIVE" : "DOWN",
        updated_at: this.#now,
        revision_number: eb("revision_number", "+", 1),
      }))
      .where("id", "in", (eb) =>
        eb.selectFrom("router_ports").select("port_id").where("router_id", "=", id).where("kind", "!=", "ha"),
      )
      .$if(isUp === 1, (query) => query.where("admin_state_up", "=", 1))
      .where("status", "in", isUp === 1 ? ["DOWN", "BUILD"] : ["ACTIVE", "BUILD"])
      .execute();
  }
}
