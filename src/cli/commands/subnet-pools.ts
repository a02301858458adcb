// What can be done with a subnet pool beside changing its attributes.
import type { Command } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const { subnetpool, network } = resourceNames;

export function addSubnetPoolCommands(root: Command): void {
  const group = root.commands.find((command) => command.name() === "subnetpool");
  if (group === undefined) throw new Error("the command `subnetpool` comes first");
  addPrefixes(group, "add", "add prefixes to a subnet pool");
  addPrefixes(group, "remove", "remove prefixes that no subnet uses from a subnet pool");
  addOnboard(group);
}

function addPrefixes(group: Command, verb: "add" | "remove", description: string): void {
  const command = group
    .command(`${verb}-prefix`)
    .description(description)
    .argument("<subnetpool>", "name or id")
    .argument("<prefix...>", "as in 10.0.0.0/16");
  addExamples(command, `netloom subnetpool ${verb}-prefix office 10.1.0.0/16`);
  command.action(async (handle: string, prefixes: readonly string[]) => {
    const context = contextOf(command);
    const id = await context.client.findId(subnetpool, handle);
    await context.client.act(subnetpool, id, { action: `${verb}_prefixes`, body: { prefixes } });
    await context.printObject(await context.client.show(subnetpool, id));
  });
}

function addOnboard(group: Command): void {
  const command = group
    .command("onboard")
    .description("take the subnets of a network into a subnet pool")
    .argument("<subnetpool>", "name or id")
    .argument("<network>", "name or id");
  addExamples(command, "netloom subnetpool onboard office blue");
  command.action(async (handle: string, networkHandle: string) => {
    const context = contextOf(command);
    const id = await context.client.findId(subnetpool, handle);
    const network_id = await context.client.findId(network, networkHandle);
    await context.client.act(subnetpool, id, { action: "onboard_network_subnets", body: { network_id } });
    await context.printObject(await context.client.show(subnetpool, id));
  });
}
