// A router's way out on the command line: options of `router create`, `router set` and `router set-gateway`.
import type { Command } from "commander";
import type { ApiObject } from "../api-client.ts";
import { type AttributeOption, attributeValue } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { type CommandContext, collect } from "./context.ts";
import { resolverOf, type Typed } from "./resource-options.ts";

const common = { isList: false, isNullable: false, choices: [], keys: {}, isRequired: false, description: "" } as const;
const fixedIp: AttributeOption = {
  ...common,
  attribute: "external_fixed_ips",
  flag: "fixed-ip",
  kind: "record",
  isList: true,
  keys: { subnet_id: "text", ip_address: "text" },
};
const enableSnat: AttributeOption = { ...common, attribute: "enable_snat", flag: "enable-snat", kind: "boolean" };

/** Of the gateway itself, where its network is an argument. */
export function addGatewayDetails(command: Command): Command {
  return command
    .option("--fixed-ip <value>", "its address outside [subnet=…,ip-address=…, may be repeated]", collect)
    .option("--enable-snat <value>", "whether what leaves has the router's own address outside [true|false]");
}

export function addGatewayOptions(command: Command): Command {
  return addGatewayDetails(command.option("--external-gateway <network>", "external network that leads out [name or id]"));
}

/** `external_gateway_info`, if anything was said of it. */
export async function gatewayChanges(typed: Typed, context: CommandContext): Promise<ApiObject> {
  const { externalGateway } = typed;
  if (typeof externalGateway === "string") {
    return { external_gateway_info: await gatewayInfo(externalGateway, typed, context) };
  }
  if (typed["fixedIp"] === undefined && typed["enableSnat"] === undefined) return {};
  throw new CommandFailure(exitCodes.usage, "--fixed-ip and --enable-snat go with --external-gateway");
}

export async function gatewayInfo(network: string, typed: Typed, context: CommandContext): Promise<ApiObject> {
  const resolve = resolverOf(context);
  const info: Record<string, unknown> = { network_id: await resolve("network", network) };
  for (const [option, value] of [
    [fixedIp, typed["fixedIp"]],
    [enableSnat, typed["enableSnat"]],
  ] as const) {
    if (value !== undefined) info[option.attribute] = await attributeValue(option, value, resolve);
  }
  return info;
}
