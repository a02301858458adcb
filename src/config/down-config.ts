// Settings of `netloom down`.
import { z } from "zod";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

export const downSchema = z.strictObject({
  stateDir: keys.stateDir,
  keepData: z.boolean().default(false).describe("Keep the database, the keys and what NATS stored; remove only the data plane"),
});

export type DownConfig = Frozen<z.output<typeof downSchema>>;

/** @param argv flags only, without node and script */
export async function loadDownConfig(argv: readonly string[], env: Environment = process.env): Promise<DownConfig> {
  return loadSettings(downSchema, { argv, env });
}
