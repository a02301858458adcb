// The use cases of a resource that is one row of one table: list, show, create, change, remove. What makes a resource
// special is in its spec; networks, ports and others with more behind them have services of their own.
import type { Kysely } from "kysely";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { Store, Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { type Condition, type ListedTable, listRows } from "../store/list-rows.ts";
import { chunks, locksRows } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { type QuotaName, takeQuota } from "./quota-guard.ts";
import {
  byId,
  type Attributes,
  type ListQuery,
  type RequestContext,
  type ResourceReader,
  type ResourceService,
} from "./resource-service.ts";
import { checkRevision, forbidden, missing, type ServiceDeps, timestamp } from "./service-deps.ts";

export interface StandardRow {
  readonly id: string;
  readonly project_id: string;
  readonly revision_number: number;
  readonly updated_at: string;
}

export interface ReaderSpec<Row> {
  readonly resource: ResourceDeclaration;
  readonly listed: ListedTable;
  /** `undefined`: everything. */
  readonly visible: (context: RequestContext) => Condition | undefined;
  /** Same length and order as `rows`; to be walked through once. */
  readonly present: (db: Kysely<Database>, rows: readonly Row[], context: RequestContext) => Promise<Iterable<Attributes>>;
}

export interface StandardSpec<Row extends StandardRow> extends ReaderSpec<Row> {
  /** What it counts as. */
  readonly quota?: QuotaName;
  /** Fills in what is not said and depends on other objects. */
  readonly completeBodies?: (
    trx: Trx,
    context: RequestContext,
    bodies: readonly Attributes[],
  ) => Promise<readonly Attributes[]>;
  readonly newRow: (context: RequestContext, body: Attributes, now: string) => Row;
  /** The row as the client wants it; same revision. */
  readonly changedRow: (before: Row, changes: Attributes) => Row;
  /** Rules that need other objects. Before the rows are written; throws ApiFault. */
  readonly checkCreate?: (trx: Trx, created: Created<Row>) => Promise<void>;
  readonly afterCreate?: (trx: Trx, created: Created<Row>) => Promise<void>;
  readonly checkChange?: (trx: Trx, change: Change<Row>) => Promise<void>;
  readonly afterChange?: (trx: Trx, change: Change<Row>) => Promise<void>;
  /** Before the row of an update is locked: rows of kinds that come first in the order of locks. */
  readonly lockFirst?: (trx: Trx, id: string, changes: Attributes) => Promise<unknown>;
  /** Before the row is deleted: refuse, or delete what belongs to it. */
  readonly checkRemove?: (trx: Trx, context: RequestContext, row: Row) => Promise<void>;
}

export interface Created<Row> {
  readonly context: RequestContext;
  readonly rows: readonly Row[];
  /** Same order. */
  readonly bodies: readonly Attributes[];
}

export interface Change<Row> {
  readonly context: RequestContext;
  readonly before: Row;
  readonly after: Row;
  readonly changes: Attributes;
}

export interface ChangeTarget {
  readonly context: RequestContext;
  readonly id: string;
  readonly expectedRevision?: number | undefined;
}

interface Wanted<Row> {
  readonly changes: Attributes;
  /** The row as it should be, same revision; `before` is locked. */
  readonly wanted: (before: Row) => Promise<Row>;
}

export class StandardReader<Row> implements ResourceReader {
  readonly #store: Store;
  readonly #spec: ReaderSpec<Row>;

  constructor(store: Store, spec: ReaderSpec<Row>) {
    this.#store = store;
    this.#spec = spec;
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return [...(await this.each(context, query))];
  }

  async each(context: RequestContext, query: ListQuery): Promise<Iterable<Attributes>> {
    const { listed, visible, present, resource } = this.#spec;
    const { db } = this.#store;
    const rows = await translated(
      listRows<Row>(db, { listed, query, visible: visible(context), projectId: context.projectId }),
    );
    if (rows === undefined) throw missing(resource, query.marker ?? "");
    return rows.length === 0 ? [] : translated(present(db, rows, context));
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const [item] = await this.list(context, byId(id));
    if (item === undefined) throw missing(this.#spec.resource, id);
    return item;
  }
}

export class StandardService<Row extends StandardRow> implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #spec: StandardSpec<Row>;
  readonly #reader: StandardReader<Row>;

  constructor(deps: ServiceDeps, spec: StandardSpec<Row>) {
    this.#deps = deps;
    this.#spec = spec;
    this.#reader = new StandardReader(deps.store, spec);
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, sent: readonly Attributes[]): Promise<readonly Attributes[]> {
    const { completeBodies, newRow, quota, checkCreate, afterCreate, present } = this.#spec;
    const now = timestamp(this.#deps);
    return this.#deps.store.transaction(async (trx) => {
      const bodies = (await completeBodies?.(trx, context, sent)) ?? sent;
      const rows = bodies.map((body) => newRow(context, body, now));
      if (quota !== undefined) {
        await takeQuota(trx, this.#deps, { resource: quota, projectIds: rows.map((row) => row.project_id) });
      }
      const created = { context, rows, bodies };
      await checkCreate?.(trx, created);
      for (const piece of chunks(rows)) await trx.insertInto(this.#table).values(anyValues(piece)).execute();
      await afterCreate?.(trx, created);
      return [...(await present(trx, rows, context))];
    });
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    const { lockFirst, changedRow } = this.#spec;
    return this.#deps.store.transaction(async (trx) => {
      await lockFirst?.(trx, id, changes);
      const target = { context, id, expectedRevision };
      return this.changeInTransaction(trx, target, { changes, wanted: async (before) => changedRow(before, changes) });
    });
  }

  /** For what is changed otherwise than by attributes: everything that an update does, with the row that `wanted` answers. */
  async changeInTransaction(
    trx: Trx,
    { context, id, expectedRevision }: ChangeTarget,
    { changes, wanted }: Wanted<Row>,
  ): Promise<Attributes> {
    const { resource, checkChange, afterChange, present } = this.#spec;
    const before = await this.lockOwn(trx, context, { id, expectedRevision });
    const row = await wanted(before);
    const isSame = JSON.stringify(row) === JSON.stringify(before);
    const moved = { revision_number: before.revision_number + 1, updated_at: timestamp(this.#deps) };
    const after = isSame ? before : { ...row, ...moved };
    const change = { context, before, after, changes };
    await checkChange?.(trx, change);
    if (!isSame) await trx.updateTable(this.#table).set(anyValues(after)).where("id", "=", id).execute();
    await afterChange?.(trx, change);
    const [item] = await present(trx, [after], context);
    if (item === undefined) throw missing(resource, id);
    return item;
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const row = await this.lockOwn(trx, context, { id, expectedRevision });
      await this.#spec.checkRemove?.(trx, context, row);
      await trx.deleteFrom(this.#table).where("id", "=", id).execute();
    });
  }

  /** 404 for what the caller does not see, 403 for what it sees and does not own. The row stays as it is until the commit. */
  async lockOwn(
    trx: Trx,
    context: RequestContext,
    { id, expectedRevision }: { readonly id: string; readonly expectedRevision?: number | undefined },
  ): Promise<Row> {
    const { resource, listed, visible } = this.#spec;
    if (locksRows(this.#deps.store.dialect))
      await trx.selectFrom(this.#table).select("id").where("id", "=", id).forUpdate().execute();
    const [row] = (await listRows<Row>(trx, { listed, query: byId(id), visible: visible(context) })) ?? [];
    if (row === undefined) throw missing(resource, id);
    if (!context.isAdmin && row.project_id !== context.projectId) throw forbidden(`changing ${resource.name} ${id}`);
    checkRevision(resource.name, id, row.revision_number, expectedRevision);
    return row;
  }

  /** kysely wants to know one table; all of ours have `id`. */
  get #table(): "networks" {
    return this.#spec.listed.table as "networks";
  }
}

/** Objects that are seen by those who see them, and made by administrators alone. */
export const madeByAdmins = (service: ResourceService, { name }: ResourceDeclaration) =>
  ({
    list: (context, query) => service.list(context, query),
    show: (context, id) => service.show(context, id),
    create: async (context, bodies) => {
      if (!context.isAdmin) throw forbidden(`create_${name}`);
      return service.create(context, bodies);
    },
    update: (context, id, changes, expectedRevision) => service.update(context, id, changes, expectedRevision),
    remove: (context, id, expectedRevision) => service.remove(context, id, expectedRevision),
  }) satisfies ResourceService;

/** The rows of `Row` belong to the spec's table; that is the spec's word, kysely cannot follow. */
const anyValues = (values: unknown): never => values as never;
