// Settings of `netloom db`: where the database is, found as the server finds it.
import { z } from "zod";
import { defaultDatabase } from "./server-config.ts";
import { type Environment, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

const databaseSchema = z.strictObject({ stateDir: keys.stateDir, db: keys.db });

/** @param argv flags only; answers the URL of the database */
export async function loadDatabaseUrl(argv: readonly string[], env: Environment = process.env): Promise<string> {
  const { db, stateDir } = await loadSettings(databaseSchema, { argv, env });
  return db ?? defaultDatabase(stateDir);
}
