// Tags of objects of every kind: the column `tags` of the object's row. Whoever may change the object may change them, which is
// a change of the object: it has a new revision, of which no agent hears.
import { type Kysely, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { tagsSchema } from "../../types/resources/tags.ts";
import type { Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { type Condition, listRows } from "../store/list-rows.ts";
import { locksRows } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { byId, type RequestContext } from "./resource-service.ts";
import { checkRevision, forbidden, type ServiceDeps, timestamp } from "./service-deps.ts";

export interface Taggable {
  readonly resource: ResourceDeclaration;
  /** With the columns of StandardColumns. */
  readonly table: keyof Database;
  /** What the caller sees of it; `undefined` is everything. */
  readonly visible: (context: RequestContext) => Condition | undefined;
}

interface TaggedRow {
  readonly id: string;
  readonly project_id: string;
  /** Of what is on a network: the network's owner may change it too. */
  readonly network_id?: string;
  readonly tags: string;
  readonly revision_number: number;
}

export interface TagChange {
  readonly context: RequestContext;
  readonly id: string;
  readonly expectedRevision?: number | undefined;
}

/** Of the objects of one kind. */
export class TagService {
  readonly #deps: ServiceDeps;
  readonly #kind: Taggable;

  constructor(deps: ServiceDeps, kind: Taggable) {
    this.#deps = deps;
    this.#kind = kind;
  }

  /** Throws TagResourceNotFound for what the caller does not see. */
  async read(context: RequestContext, id: string): Promise<readonly string[]> {
    return tagsOf(await translated(this.#find(this.#deps.store.db, context, id)));
  }

  /** Throws TagNotFound. */
  async check(context: RequestContext, id: string, tag: string): Promise<void> {
    if (!(await this.read(context, id)).includes(tag)) throw tagNotFound(tag);
  }

  replace(change: TagChange, tags: readonly string[]): Promise<readonly string[]> {
    return this.#change(change, () => tags);
  }

  /** Those that are there already stay where they are. */
  add(change: TagChange, tags: readonly string[]): Promise<readonly string[]> {
    return this.#change(change, (before) => [...new Set([...before, ...tags])]);
  }

  /** Throws TagNotFound. */
  remove(change: TagChange, tag: string): Promise<readonly string[]> {
    return this.#change(change, (before) => {
      if (!before.includes(tag)) throw tagNotFound(tag);
      return before.filter((other) => other !== tag);
    });
  }

  #change(change: TagChange, next: (before: readonly string[]) => readonly string[]): Promise<readonly string[]> {
    const { context, id, expectedRevision } = change;
    const { resource, table } = this.#kind;
    return this.#deps.store.transaction(async (trx) => {
      if (locksRows(this.#deps.store.dialect)) {
        await sql`select id from ${sql.table(table)} where id = ${id} for update`.execute(trx);
      }
      const row = await this.#find(trx, context, id);
      if (!(await mayChange(trx, context, row))) throw forbidden(`changing the tags of ${resource.name} ${id}`);
      checkRevision(resource.name, id, row.revision_number, expectedRevision);
      const before = tagsOf(row);
      const after = next(before);
      checkCount(after);
      if (JSON.stringify(after) !== JSON.stringify(before)) await this.#write(trx, id, after);
      return after;
    });
  }

  async #write(trx: Trx, id: string, tags: readonly string[]): Promise<void> {
    await sql`update ${sql.table(this.#kind.table)} set tags = ${JSON.stringify(tags)},
      revision_number = revision_number + 1, updated_at = ${timestamp(this.#deps)} where id = ${id}`.execute(trx);
  }

  async #find(db: Kysely<Database>, context: RequestContext, id: string): Promise<TaggedRow> {
    const { resource, table, visible } = this.#kind;
    const listed = { table, columns: { id: "id" }, filters: {} };
    const [row] = (await listRows<TaggedRow>(db, { listed, query: byId(id), visible: visible(context) })) ?? [];
    if (row !== undefined) return row;
    throw new ApiFault("TagResourceNotFound", `Resource ${resource.name} ${id} could not be found.`);
  }
}

/** The cast: we wrote it. */
const tagsOf = ({ tags }: TaggedRow): readonly string[] => JSON.parse(tags) as readonly string[];

function tagNotFound(tag: string): ApiFault {
  return new ApiFault("TagNotFound", `Tag ${tag} could not be found.`);
}

function checkCount(tags: readonly string[]): void {
  const checked = tagsSchema.safeParse(tags);
  if (!checked.success)
    throw new ApiFault("HTTPBadRequest", `Invalid input for tags. Reason: ${checked.error.issues[0]?.message}`);
}

async function mayChange(trx: Trx, context: RequestContext, row: TaggedRow): Promise<boolean> {
  if (context.isAdmin || row.project_id === context.projectId) return true;
  if (row.network_id === undefined) return false;
  const network = await trx.selectFrom("networks").select("project_id").where("id", "=", row.network_id).executeTakeFirst();
  return network?.project_id === context.projectId;
}
