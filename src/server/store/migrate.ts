// Brings a database to the newest schema; several servers may do this at the same moment.
import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { up as first } from "./migrations/0001-first.ts";
import { up as failover } from "./migrations/0002-failover.ts";
import { up as segments } from "./migrations/0003-segments.ts";
import { up as leases } from "./migrations/0004-leases.ts";
import { up as routers } from "./migrations/0005-routers.ts";
import { up as ha } from "./migrations/0006-ha.ts";
import { up as standard } from "./migrations/0007-standard.ts";
import { up as addressScopes } from "./migrations/0008-address-scopes.ts";
import { up as subnetPools } from "./migrations/0009-subnet-pools.ts";
import { up as securityGroups } from "./migrations/0011-security-groups.ts";
import { up as sharing } from "./migrations/0013-sharing.ts";
import { up as networkSegments } from "./migrations/0015-network-segments.ts";
import { up as autoTopologies } from "./migrations/0016-auto-allocated-topologies.ts";
import { up as qos } from "./migrations/0017-qos.ts";
import { up as trunks } from "./migrations/0018-trunks-and-bindings.ts";
import { up as notifications } from "./migrations/0030-notifications.ts";
import { up as qosNotes } from "./migrations/0031-qos-and-trunk-notes.ts";
import { up as segmentNotes } from "./migrations/0032-segment-notes.ts";
import { up as securityGroupNotes } from "./migrations/0033-security-group-notes.ts";
import { up as securityGroupDefaults } from "./migrations/0034-security-group-defaults.ts";
import { up as nestedProjects } from "./migrations/0035-projects-of-nested-notes.ts";
import { up as agentsByHost } from "./migrations/0036-agents-by-host.ts";
import type { Database } from "./schema.ts";

/** By name, in order. Listed here and not found by scanning a folder, because the program is shipped as one file. */
const migrations: Readonly<Record<string, Migration>> = {
  "0001-first": { up: first },
  "0002-failover": { up: failover },
  "0003-segments": { up: segments },
  "0004-leases": { up: leases },
  "0005-routers": { up: routers },
  "0006-ha": { up: ha },
  "0007-standard": { up: standard },
  "0008-address-scopes": { up: addressScopes },
  "0009-subnet-pools": { up: subnetPools },
  "0011-security-groups": { up: securityGroups },
  "0013-sharing": { up: sharing },
  "0015-network-segments": { up: networkSegments },
  "0016-auto-allocated-topologies": { up: autoTopologies },
  "0017-qos": { up: qos },
  "0018-trunks-and-bindings": { up: trunks },
  "0030-notifications": { up: notifications },
  "0031-qos-and-trunk-notes": { up: qosNotes },
  "0032-segment-notes": { up: segmentNotes },
  "0033-security-group-notes": { up: securityGroupNotes },
  "0034-security-group-defaults": { up: securityGroupDefaults },
  "0035-projects-of-nested-notes": { up: nestedProjects },
  "0036-agents-by-host": { up: agentsByHost },
};

export interface SchemaVersion {
  /** Of the newest migration that has run; absent in an empty database. */
  readonly current: string | undefined;
  /** What this program would still do. */
  readonly pending: readonly string[];
}

export async function migrate(db: Kysely<Database>): Promise<void> {
  const { error } = await migratorOf(db).migrateToLatest();
  if (error !== undefined) throw error;
  await db
    .insertInto("meta")
    .values({ key: "epoch", value: randomUUID() })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
}

/** Changes nothing. */
export async function readSchemaVersion(db: Kysely<Database>): Promise<SchemaVersion> {
  const all = await migratorOf(db).getMigrations();
  return {
    current: all.findLast((migration) => migration.executedAt !== undefined)?.name,
    pending: all.filter((migration) => migration.executedAt === undefined).map((migration) => migration.name),
  };
}

function migratorOf(db: Kysely<Database>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
}
