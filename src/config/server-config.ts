// Settings of `netloom server`.
import { join } from "node:path";
import { z } from "zod";
import { serverApi } from "./api-keys.ts";
import { refuseEarlyFailover, serverDhcp } from "./dhcp-keys.ts";
import { serverHa } from "./ha-keys.ts";
import { identity, refuseIncompleteIdentity, refuseOpenApi } from "./identity-keys.ts";
import { serverNetwork } from "./network-keys.ts";
import { quotaKeys } from "./quota-keys.ts";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

export const serverSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    listen: keys.listen,
    db: keys.db,
    nats: keys.nats,
    ...identity,
    allowedHosts: keys.allowedHosts,
    dhcp: z.strictObject(serverDhcp).prefault({}),
    l3: z.strictObject(serverHa).prefault({}),
    network: z.strictObject(serverNetwork).prefault({}),
    quota: z.strictObject(quotaKeys).prefault({}),
    api: z.strictObject(serverApi).prefault({}),
    logLevel: keys.logLevel,
  })
  .superRefine(refuseOpenApi)
  .superRefine(refuseIncompleteIdentity)
  .superRefine(refuseEarlyFailover);

export type ServerConfig = Omit<Frozen<z.output<typeof serverSchema>>, "db"> & { readonly db: string };

/** @param argv flags only, without node and script */
export async function loadServerConfig(argv: readonly string[], env: Environment = process.env): Promise<ServerConfig> {
  const config = await loadSettings(serverSchema, { argv, env });
  return Object.freeze({ ...config, db: config.db ?? defaultDatabase(config.stateDir) });
}

export const defaultDatabase = (stateDir: string): string => `sqlite:${join(stateDir, "netloom.db")}`;
