// A new subnet's family, which people say in other words: by its block, or by the pool that the block comes from.
import type { Command } from "commander";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import type { Typed } from "./resource-options.ts";

export function addVersionOption(command: Command): Command {
  return command.option("--ip-version <4|6>", "where neither --cidr nor --subnetpool says it; 4 unless given [4|6]");
}

/** @param given attributes as the API takes them */
export async function subnetVersion(given: ApiObject, typed: Typed, { client }: CommandContext): Promise<ApiObject> {
  const { cidr, subnetpool_id: poolId } = given;
  const { ipVersion } = typed;
  if (ipVersion !== undefined && ipVersion !== "4" && ipVersion !== "6") {
    throw new CommandFailure(exitCodes.usage, `--ip-version takes 4 or 6, not ${JSON.stringify(ipVersion)}`);
  }
  if (ipVersion !== undefined) return { ip_version: Number(ipVersion) };
  if (typeof cidr === "string") return { ip_version: cidr.includes(":") ? 6 : 4 };
  if (typeof poolId !== "string") return { ip_version: 4 };
  return { ip_version: (await client.show(resourceNames.subnetpool, poolId))["ip_version"] };
}
