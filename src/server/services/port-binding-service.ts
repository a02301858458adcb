// Use cases of the bindings of one port. The one in force is in the port's row; others wait for an instance that moves to their
// host, and `activate` swaps. All of it is for administrators and the compute side.
import type { Kysely, Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { portBindingResource } from "../../types/resources/port-bindings.ts";
import type { Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import type { PortRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { PortBindingsTable } from "../store/schema-kept.ts";
import { listInMemory } from "./list-in-memory.ts";
import { bindingColumns, forgetBinding, readKnownHosts } from "./port-binding.ts";
import { changePort, lockPort } from "./port-update.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { forbidden, has, notFound, type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { managesPorts } from "./visibility.ts";

type WaitingRow = Selectable<PortBindingsTable>;

export class PortBindings implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #portId: string;

  constructor(deps: ServiceDeps, portId: string) {
    this.#deps = deps;
    this.#portId = portId;
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    checkRights(context, this.#portId);
    return listInMemory(await translated(this.#read(this.#deps.store.db)), query, portBindingResource);
  }

  async show(context: RequestContext, host: string): Promise<Attributes> {
    checkRights(context, this.#portId);
    return this.#find(this.#deps.store.db, host);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      const port = await this.#lock(trx, context);
      checkMayMove(port);
      const made: Attributes[] = [];
      for (const body of bodies) made.push(await this.#add(trx, port, body));
      await this.#touch(trx);
      return made;
    });
  }

  async update(context: RequestContext, host: string, changes: Attributes): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const port = await this.#lock(trx, context);
      const before = await this.#find(trx, host);
      const wanted = { host, vnic_type: before["vnic_type"], profile: before["profile"], ...changes };
      if (wanted.host !== host) await this.#checkFree(trx, port, String(wanted.host));
      if (before["status"] === "ACTIVE") {
        await this.#bind(trx, context, wanted);
      } else {
        await forgetBinding(trx, port.id, host);
        await this.#add(trx, port, wanted);
        await this.#touch(trx);
      }
      return this.#find(trx, String(wanted.host));
    });
  }

  async remove(context: RequestContext, host: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const port = await this.#lock(trx, context);
      await this.#find(trx, host);
      if (port.binding_host_id === host) {
        await this.#bind(trx, context, { host: "", profile: {} });
        return;
      }
      await forgetBinding(trx, port.id, host);
      await this.#touch(trx);
    });
  }

  /** The port is bound there from now on; where it was bound, a binding waits. */
  async activate(context: RequestContext, host: string): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const before = await this.#lock(trx, context);
      checkMayMove(before);
      const binding = await this.#find(trx, host);
      if (binding["status"] === "ACTIVE") {
        throw new ApiFault("PortBindingAlreadyActive", `Binding for port ${before.id} on host ${host} is already active.`);
      }
      await this.#bind(trx, context, binding);
      if (before.binding_host_id !== "") await trx.insertInto("port_bindings").values(leftBehind(before)).execute();
      return this.#find(trx, host);
    });
  }

  /** With its network. */
  async #lock(trx: Trx, context: RequestContext): Promise<PortRow> {
    checkRights(context, this.#portId);
    return (await lockPort(trx, this.#deps, { context, id: this.#portId, expectedRevision: undefined })).row;
  }

  async #add(trx: Trx, port: PortRow, body: Attributes): Promise<Attributes> {
    const host = text(body["host"]) ?? "";
    await this.#checkFree(trx, port, host);
    const wish = portWish(body);
    const binding = bindingColumns(port.network_id, wish, await readKnownHosts(trx, [wish]));
    if (binding.binding_vif_type === "binding_failed") {
      throw new ApiFault("PortBindingError", `Binding for port ${port.id} on host ${host} could not be created.`);
    }
    const row = waitingRow(port.id, binding);
    await trx.insertInto("port_bindings").values(row).execute();
    return presentWaiting(row);
  }

  async #checkFree(trx: Trx, port: PortRow, host: string): Promise<void> {
    const isTaken = (await this.#read(trx)).some((binding) => binding["host"] === host);
    if (!isTaken) return;
    throw new ApiFault("PortBindingAlreadyExists", `Binding for port ${port.id} on host ${host} already exists.`);
  }

  async #bind(trx: Trx, context: RequestContext, binding: Attributes): Promise<void> {
    // The rights of a port's attributes have been looked at already, as those of its bindings.
    await changePort(trx, this.#deps, { context: { ...context, isAdmin: true }, id: this.#portId, changes: portWish(binding) });
  }

  async #touch(trx: Trx): Promise<void> {
    await trx
      .updateTable("ports")
      .set((eb) => ({ revision_number: eb("revision_number", "+", 1), updated_at: timestamp(this.#deps) }))
      .where("id", "=", this.#portId)
      .execute();
  }

  async #find(db: Kysely<Database>, host: string): Promise<Attributes> {
    const found = (await this.#read(db)).find((binding) => binding["host"] === host);
    if (found !== undefined) return found;
    throw new ApiFault("PortBindingNotFound", `Binding for port ${this.#portId} for host ${host} could not be found.`);
  }

  /** Throws PortNotFound. */
  async #read(db: Kysely<Database>): Promise<readonly Attributes[]> {
    const port = await db.selectFrom("ports").selectAll().where("id", "=", this.#portId).executeTakeFirst();
    if (port === undefined) throw notFound("port", this.#portId);
    const rows = await db.selectFrom("port_bindings").selectAll().where("port_id", "=", port.id).execute();
    return [...(port.binding_host_id === "" ? [] : [presentActive(port)]), ...rows.map(presentWaiting)];
  }
}

function checkRights(context: RequestContext, portId: string): void {
  if (!managesPorts(context)) throw forbidden(`the bindings of port ${portId}`);
}

/** Only instances move. */
function checkMayMove(port: PortRow): void {
  if (port.device_owner.startsWith("compute:")) return;
  throw new ApiFault(
    "UnsupportedPortDeviceOwner",
    `Operation multiple bindings is not supported for device_owner ${port.device_owner} on port ${port.id}.`,
  );
}

/** In the names that ports have for it. */
function portWish(binding: Attributes): Attributes {
  return {
    "binding:host_id": binding["host"],
    ...(has(binding, "vnic_type") ? { "binding:vnic_type": binding["vnic_type"] } : {}),
    ...(has(binding, "profile") ? { "binding:profile": binding["profile"] } : {}),
  };
}

function waitingRow(portId: string, binding: ReturnType<typeof bindingColumns>): WaitingRow {
  return {
    port_id: portId,
    host: binding.binding_host_id,
    vnic_type: binding.binding_vnic_type,
    profile: binding.binding_profile,
    vif_type: binding.binding_vif_type,
    vif_details: binding.binding_vif_details,
  };
}

/** Nothing is plugged there any more; who goes back is plugged anew. */
const leftBehind = (port: PortRow): WaitingRow => ({ ...waitingRow(port.id, port), vif_type: "unbound", vif_details: "{}" });

const presentActive = (port: PortRow): Attributes => present(waitingRow(port.id, port), "ACTIVE");
const presentWaiting = (row: WaitingRow): Attributes => present(row, "INACTIVE");

/** `id` is for the mechanics of lists: no client sees it. */
function present(row: WaitingRow, status: "ACTIVE" | "INACTIVE"): Attributes {
  return {
    id: row.host,
    host: row.host,
    vnic_type: row.vnic_type,
    profile: JSON.parse(row.profile),
    vif_type: row.vif_type,
    vif_details: JSON.parse(row.vif_details),
    status,
  };
}
