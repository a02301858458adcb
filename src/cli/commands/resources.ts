// create, list, show, set and delete of every kind of object. Options come from the declarations of the API.
import { type Command, Option } from "commander";
import type { ApiObject } from "../api-client.ts";
import type { AttributeOption } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, collect, contextOf } from "./context.ts";
import { type Description, describe, type Kind, kinds } from "./resource-kinds.ts";
import { addOptions, loadOptions, readAttributes, refuseNothing, type Typed } from "./resource-options.ts";
import { aOrAn, pluralOf } from "../words.ts";
import { addGatewayOptions, gatewayChanges } from "./router-gateway.ts";
import { addVersionOption, subnetVersion } from "./subnet-version.ts";

/** @param argv tells whether a command needs options from declarations */
export async function addResourceCommands(root: Command, argv: readonly string[]): Promise<void> {
  const words = argv.filter((word) => !word.startsWith("-"));
  const needsOptions = words.includes("create") || words.includes("set");
  for (const kind of kinds) {
    const described = describe(kind);
    const { about, createExample, hidden, setExample } = described;
    const group = addExamples(root.command(kind).description(about), createExample);
    const isWanted = needsOptions && words.includes(kind);
    const load = async (verb: "post" | "put") => (isWanted ? loadOptions(described.load(), verb, hidden) : []);
    addCreate(group, kind, await load("post"));
    if (setExample !== undefined) addExamples(addSet(group, kind, await load("put")), setExample);
    addList(group, kind);
    addShow(group, kind);
    addDelete(group, kind);
  }
}

function addCreate(group: Command, kind: Kind, options: readonly AttributeOption[]): void {
  const { title, isNamed, createExample, resource } = describe(kind);
  const command = group.command("create").description(`create ${aOrAn(title)}`);
  if (isNamed) command.argument("[name]", `name of the ${title}`);
  addOptions(
    command,
    options.filter((option) => option.attribute !== "name"),
  );
  if (kind === "router") addGatewayOptions(command);
  if (kind === "subnet") addVersionOption(command);
  addExamples(command, createExample);
  command.action(async (...words: readonly unknown[]) => {
    const context = contextOf(command);
    const [name] = isNamed ? words : [];
    const given = await readChanges(kind, { options, typed: command.opts<Typed>(), context });
    const version = kind === "subnet" ? await subnetVersion(given, command.opts<Typed>(), context) : {};
    const attributes = { ...given, ...(typeof name === "string" ? { name } : {}), ...version };
    await context.printObject(await context.client.create(resource, attributes));
  });
}

interface Given {
  readonly options: readonly AttributeOption[];
  readonly typed: Typed;
  readonly context: CommandContext;
}

async function readChanges(kind: Kind, { options, typed, context }: Given): Promise<ApiObject> {
  const attributes = await readAttributes(options, typed, context);
  return kind === "router" ? { ...attributes, ...(await gatewayChanges(typed, context)) } : attributes;
}

function addSet(group: Command, kind: Kind, options: readonly AttributeOption[]): Command {
  const { title, resource, handle: handleWords } = describe(kind);
  const command = group
    .command("set")
    .description(`change ${aOrAn(title)}`)
    .argument(`<${kind}>`, handleWords);
  addOptions(command, options);
  if (kind === "router") addGatewayOptions(command);
  return command.action(async (handle: string, typed: Typed) => {
    const context = contextOf(command);
    const changes = await readChanges(kind, { options, typed, context });
    refuseNothing(changes);
    const id = await context.client.findId(resource, handle);
    await context.printObject(await context.client.update(resource, id, changes));
  });
}

function addList(group: Command, kind: Kind): void {
  const { title, example, listFilters, columns, resource } = describe(kind);
  const command = group
    .command("list")
    .description(`list ${pluralOf(title)}`)
    .option("--filter <attribute=value>", "only those with this value; may be repeated", collect)
    .option("--sort <attribute>", "sort by it; attribute:desc for the other way round", collect)
    .addOption(new Option("--limit <count>", "at most so many").argParser(readCount))
    .option("-c, --column <attribute>", "show these columns instead; may be repeated", collect);
  for (const other of Object.keys(listFilters)) {
    command.option(`--${other} <${other}>`, `only those of this ${other} (name or id)`);
  }
  const attribute = resource.handle ?? "name";
  addExamples(command, `netloom ${kind} list --filter ${attribute}=${example} --sort created_at:desc -o json`);
  command.action(async (options: ListOptions) => {
    const context = contextOf(command);
    const query = await listQuery(listFilters, options, context);
    const objects = await context.client.list(resource, query);
    refuseUnknownColumns(objects, options.column ?? []);
    await context.printList(objects, options.column ?? columns);
  });
}

/** By what the server sent: without objects nothing is wrong with any column. */
function refuseUnknownColumns([first]: readonly ApiObject[], columns: readonly string[]): void {
  const unknown = first === undefined ? [] : columns.filter((column) => !(column in first));
  if (unknown.length === 0 || first === undefined) return;
  const known = Object.keys(first).sort().join(", ");
  throw new CommandFailure(exitCodes.usage, `no column ${unknown.join(", ")}: there are ${known}`);
}

function readCount(text: string): string {
  if (/^\d{1,9}$/.test(text)) return text;
  throw new CommandFailure(exitCodes.usage, `--limit takes a number, not ${JSON.stringify(text)}`);
}

interface ListOptions {
  readonly filter?: readonly string[];
  readonly sort?: readonly string[];
  readonly limit?: string;
  readonly column?: readonly string[];
  readonly network?: string;
  readonly port?: string;
  readonly router?: string;
  readonly securityGroup?: string;
}

async function listQuery(
  listFilters: Description["listFilters"],
  options: ListOptions,
  context: CommandContext,
): Promise<[string, string][]> {
  const query: [string, string][] = [];
  for (const filter of options.filter ?? []) {
    const at = filter.indexOf("=");
    if (at < 1) throw new CommandFailure(exitCodes.usage, `--filter takes attribute=value, not ${JSON.stringify(filter)}`);
    query.push([filter.slice(0, at), filter.slice(at + 1)]);
  }
  for (const sort of options.sort ?? []) {
    const [key = "", direction = "asc"] = sort.split(/:(?=asc$|desc$)/);
    query.push(["sort_key", key], ["sort_dir", direction]);
  }
  if (options.limit !== undefined) query.push(["limit", options.limit]);
  for (const other of ["network", "port", "router", "security-group"] as const) {
    const given = other === "security-group" ? options.securityGroup : options[other];
    const [filter, handle] = [listFilters[other], given];
    if (filter === undefined || handle === undefined) continue;
    query.push([filter, await context.client.findId(describe(other).resource, handle)]);
  }
  return query;
}

function addShow(group: Command, kind: Kind): void {
  const { title, example, resource, handle: handleWords } = describe(kind);
  const command = group.command("show").description(`show one ${title}`).argument(`<${kind}>`, handleWords);
  addExamples(command, `netloom ${kind} show ${example} -o yaml`);
  command.action(async (handle: string) => {
    const context = contextOf(command);
    await context.printObject(await context.client.find(resource, handle));
  });
}

function addDelete(group: Command, kind: Kind): void {
  const { title, example, resource, handles } = describe(kind);
  const command = group
    .command("delete")
    .description(`delete ${pluralOf(title)}`)
    .argument(`<${kind}...>`, handles);
  addExamples(command, `netloom ${kind} delete ${example}`);
  command.action(async (given: readonly string[]) => {
    const { client } = contextOf(command);
    // All are looked up before the first is deleted: a misspelt name changes nothing.
    const ids: string[] = [];
    for (const handle of given) ids.push(await client.findId(resource, handle));
    for (const id of ids) await client.remove(resource, id);
  });
}
