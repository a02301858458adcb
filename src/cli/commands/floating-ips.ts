// What floating IPs have beside create, list, show, set and delete: port forwardings.
import type { Command } from "commander";
import { type ResourceName, resourceNames } from "../api-client.ts";
import type { AttributeOption } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";
import { addOptions, loadOptions, readAttributes, refuseNothing, type Typed } from "./resource-options.ts";

const { floatingip } = resourceNames;
const columns = ["id", "protocol", "external_port_range", "internal_ip_address", "internal_port_range", "description"];
const anId = "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b";

/** @param argv tells whether a command needs options from declarations */
export async function addFloatingIpCommands(root: Command, argv: readonly string[]): Promise<void> {
  const group = root.commands.find((command) => command.name() === "floatingip");
  if (group === undefined) throw new Error("the command `floatingip` comes first");
  addUnset(group);
  const isWanted = argv.includes("port-forwarding") && (argv.includes("create") || argv.includes("set"));
  const declaration = async () => (await import("../../types/resources/port-forwardings.ts")).portForwardingResource;
  const load = async (verb: "post" | "put") => (isWanted ? loadOptions(declaration(), verb, ["project_id"]) : []);
  const forwardings = group.command("port-forwarding").description("ports of a floating IP that lead inside");
  addExamples(forwardings, "netloom floatingip port-forwarding list 203.0.113.9");
  addCreate(forwardings, await load("post"));
  addSet(forwardings, await load("put"));
  addList(forwardings);
  addShow(forwardings);
  addDelete(forwardings);
}

function addUnset(group: Command): void {
  const command = group
    .command("unset")
    .description("let a floating IP lead nowhere")
    .argument("<floatingip>", "address or id");
  command.option("--port", "the port that it leads to");
  addExamples(command, "netloom floatingip unset 203.0.113.9 --port");
  command.action(async (handle: string, { port }: { readonly port?: true }) => {
    if (port === undefined) throw new CommandFailure(exitCodes.usage, "nothing to change: give --port");
    const context = contextOf(command);
    const id = await context.client.findId(floatingip, handle);
    await context.printObject(await context.client.update(floatingip, id, { port_id: null }));
  });
}

const named = (command: Command): Command => command.argument("<floatingip>", "address or id");
const one = (command: Command): Command => named(command).argument("<forwarding>", "id");

async function forwardingsOf({ client }: CommandContext, handle: string): Promise<ResourceName> {
  const id = await client.findId(floatingip, handle);
  return { ...resourceNames.portForwarding, path: `floatingips/${id}/port_forwardings` };
}

function addCreate(group: Command, options: readonly AttributeOption[]): void {
  const command = named(group.command("create").description("lead ports of a floating IP to an address inside"));
  addOptions(command, options);
  addExamples(
    command,
    "netloom floatingip port-forwarding create 203.0.113.9 --protocol tcp --port web --internal-ip-address 10.0.0.5 --external-port 80 --internal-port 8080",
  );
  command.action(async (handle: string, typed: Typed) => {
    const context = contextOf(command);
    const attributes = await readAttributes(options, typed, context);
    await context.printObject(await context.client.create(await forwardingsOf(context, handle), attributes));
  });
}

function addSet(group: Command, options: readonly AttributeOption[]): void {
  const command = one(group.command("set").description("change a port forwarding"));
  addOptions(command, options);
  addExamples(command, `netloom floatingip port-forwarding set 203.0.113.9 ${anId} --internal-port 8081`);
  command.action(async (handle: string, id: string, typed: Typed) => {
    const context = contextOf(command);
    const changes = await readAttributes(options, typed, context);
    refuseNothing(changes);
    await context.printObject(await context.client.update(await forwardingsOf(context, handle), id, changes));
  });
}

function addList(group: Command): void {
  const command = named(group.command("list").description("list port forwardings of a floating IP"));
  addExamples(command, "netloom floatingip port-forwarding list 203.0.113.9 -o json");
  command.action(async (handle: string) => {
    const context = contextOf(command);
    await context.printList(await context.client.list(await forwardingsOf(context, handle)), columns);
  });
}

function addShow(group: Command): void {
  const command = one(group.command("show").description("show one port forwarding"));
  addExamples(command, `netloom floatingip port-forwarding show 203.0.113.9 ${anId}`);
  command.action(async (handle: string, id: string) => {
    const context = contextOf(command);
    await context.printObject(await context.client.show(await forwardingsOf(context, handle), id));
  });
}

function addDelete(group: Command): void {
  const command = named(group.command("delete").description("delete port forwardings")).argument("<forwarding...>", "ids");
  addExamples(command, `netloom floatingip port-forwarding delete 203.0.113.9 ${anId}`);
  command.action(async (handle: string, ids: readonly string[]) => {
    const context = contextOf(command);
    const resource = await forwardingsOf(context, handle);
    // All are looked up before the first is deleted: a misspelt id changes nothing.
    for (const id of ids) await context.client.show(resource, id);
    for (const id of ids) await context.client.remove(resource, id);
  });
}
