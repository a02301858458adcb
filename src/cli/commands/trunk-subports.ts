// What can be done with a trunk beside changing its attributes.
import type { Command } from "commander";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";

const { port, trunk } = resourceNames;

export function addTrunkCommands(root: Command): void {
  const group = root.commands.find((command) => command.name() === "trunk");
  if (group === undefined) throw new Error("the command `trunk` comes first");
  addAdd(group);
  addRemove(group);
}

function addAdd(group: Command): void {
  const command = group.command("add-subports").description("add ports to those that a trunk carries");
  command.argument("<trunk>", "name or id").argument("<port=vlan...>", "name or id of a port, and its VLAN id or `inherit`");
  addExamples(command, "netloom trunk add-subports uplink blue=101 red=102");
  command.action(async (handle: string, given: readonly string[]) => {
    const context = contextOf(command);
    const wishes: ApiObject[] = [];
    for (const text of given) wishes.push(await readSubport(context, text));
    await change(context, handle, { action: "add_subports", subports: wishes });
  });
}

async function readSubport({ client }: CommandContext, text: string): Promise<ApiObject> {
  const [, name, vlan] = /^(.+)=(\d{1,9}|inherit)$/.exec(text) ?? [];
  if (name === undefined || vlan === undefined) {
    throw new CommandFailure(exitCodes.usage, `a subport is <port>=<VLAN id> or <port>=inherit, not ${JSON.stringify(text)}`);
  }
  const port_id = await client.findId(port, name);
  return vlan === "inherit"
    ? { port_id, segmentation_type: vlan }
    : { port_id, segmentation_type: "vlan", segmentation_id: Number(vlan) };
}

function addRemove(group: Command): void {
  const command = group.command("remove-subports").description("remove ports from those that a trunk carries");
  command.argument("<trunk>", "name or id").argument("<port...>", "names or ids");
  addExamples(command, "netloom trunk remove-subports uplink blue");
  command.action(async (handle: string, names: readonly string[]) => {
    const context = contextOf(command);
    const subports: ApiObject[] = [];
    for (const name of names) subports.push({ port_id: await context.client.findId(port, name) });
    await change(context, handle, { action: "remove_subports", subports });
  });
}

async function change(
  context: CommandContext,
  handle: string,
  { action, subports }: { readonly action: string; readonly subports: readonly ApiObject[] },
): Promise<void> {
  const id = await context.client.findId(trunk, handle);
  await context.printObject(await context.client.act(trunk, id, { action, body: { sub_ports: subports } }));
}
