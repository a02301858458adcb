// network, subnet and port: create, list, show, set, delete. Options come from the declarations of the API, which are
// loaded only for the commands that need them.
import { type Command, Option } from "commander";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { type AttributeOption, attributeValue, placeholder, type Resolve } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, collect, contextOf } from "./context.ts";

type Kind = "network" | "subnet" | "port";

interface Description {
  readonly about: string;
  readonly columns: readonly string[];
  readonly createExample: string;
  readonly setExample: string;
}

const descriptions: Readonly<Record<Kind, Description>> = {
  network: {
    about: "layer-2 networks of a project",
    columns: ["id", "name", "status", "mtu", "subnets"],
    createExample: "netloom network create blue --mtu 1450",
    setExample: "netloom network set blue --dns-domain blue.example.",
  },
  subnet: {
    about: "blocks of addresses on networks",
    columns: ["id", "name", "network_id", "cidr", "gateway_ip", "enable_dhcp"],
    createExample: "netloom subnet create blue-v4 --network blue --cidr 10.0.0.0/24 --dns-nameserver 192.0.2.53",
    setExample: "netloom subnet set blue-v4 --gateway-ip none --host-route destination=10.9.0.0/16,nexthop=10.0.0.9",
  },
  port: {
    about: "places on a network that devices are plugged into",
    columns: ["id", "name", "mac_address", "fixed_ips", "status", "device_owner"],
    createExample: "netloom port create web --network blue --fixed-ip subnet=blue-v4,ip-address=10.0.0.5",
    setExample: "netloom port set web --dns-name web --extra-dhcp-opt opt-name=mtu,opt-value=1400",
  },
};

/** @param argv tells whether a command needs options from declarations: loading those takes longer than most commands run */
export async function addResourceCommands(root: Command, argv: readonly string[]): Promise<void> {
  const words = argv.filter((word) => !word.startsWith("-"));
  const needsOptions = words.includes("create") || words.includes("set");
  for (const kind of ["network", "subnet", "port"] as const) {
    const group = addExamples(root.command(kind).description(descriptions[kind].about), descriptions[kind].createExample);
    const isWanted = needsOptions && words.includes(kind);
    addCreate(group, kind, isWanted ? await loadOptions(kind, "post") : []);
    addSet(group, kind, isWanted ? await loadOptions(kind, "put") : []);
    addList(group, kind);
    addShow(group, kind);
    addDelete(group, kind);
  }
}

async function loadOptions(kind: Kind, verb: "post" | "put"): Promise<readonly AttributeOption[]> {
  const { attributeOptions } = await import("../attribute-options.ts");
  return attributeOptions(await loadDeclaration(kind), verb);
}

async function loadDeclaration(kind: Kind) {
  if (kind === "network") return (await import("../../types/resources/networks.ts")).networkResource;
  if (kind === "subnet") return (await import("../../types/resources/subnets.ts")).subnetResource;
  return (await import("../../types/resources/ports.ts")).portResource;
}

function addCreate(group: Command, kind: Kind, options: readonly AttributeOption[]): void {
  const command = group.command("create").description(`create a ${kind}`).argument("[name]", `name of the ${kind}`);
  addOptions(
    command,
    options.filter((option) => option.attribute !== "name" && !isDerived(option)),
  );
  addExamples(command, descriptions[kind].createExample);
  command.action(async (name: string | undefined, typed: Typed) => {
    const context = contextOf(command);
    const given = await readAttributes(options, typed, context);
    const attributes = { ...given, ...(name === undefined ? {} : { name }), ...derived(given) };
    await context.printObject(await context.client.create(resourceNames[kind], attributes));
  });
}

/** What the person has already said in other words. */
const isDerived = (option: AttributeOption): boolean => option.attribute === "ip_version";

function derived(attributes: ApiObject): ApiObject {
  const { cidr } = attributes;
  return typeof cidr === "string" ? { ip_version: cidr.includes(":") ? 6 : 4 } : {};
}

function addSet(group: Command, kind: Kind, options: readonly AttributeOption[]): void {
  const command = group.command("set").description(`change a ${kind}`).argument(`<${kind}>`, "name or id");
  addOptions(command, options);
  addExamples(command, descriptions[kind].setExample);
  command.action(async (nameOrId: string, typed: Typed) => {
    const context = contextOf(command);
    const changes = await readAttributes(options, typed, context);
    if (Object.keys(changes).length === 0)
      throw new CommandFailure(exitCodes.usage, "nothing to change: give an option, see --help");
    const id = await context.client.findId(resourceNames[kind], nameOrId);
    await context.printObject(await context.client.update(resourceNames[kind], id, changes));
  });
}

function addList(group: Command, kind: Kind): void {
  const command = group
    .command("list")
    .description(`list ${kind}s`)
    .option("--filter <attribute=value>", "only those with this value; may be repeated", collect)
    .option("--sort <attribute>", "sort by it; attribute:desc for the other way round", collect)
    .addOption(new Option("--limit <count>", "at most so many").argParser(readCount))
    .option("-c, --column <attribute>", "show these columns instead; may be repeated", collect);
  if (kind !== "network") command.option("--network <network>", "only those of this network (name or id)");
  addExamples(command, `netloom ${kind} list --filter name=blue --sort created_at:desc -o json`);
  command.action(async (options: ListOptions) => {
    const context = contextOf(command);
    const query = await listQuery(options, context);
    const objects = await context.client.list(resourceNames[kind], query);
    refuseUnknownColumns(objects, options.column ?? []);
    await context.printList(objects, options.column ?? descriptions[kind].columns);
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
}

async function listQuery(options: ListOptions, context: CommandContext): Promise<[string, string][]> {
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
  if (options.network !== undefined) {
    query.push(["network_id", await context.client.findId(resourceNames.network, options.network)]);
  }
  return query;
}

function addShow(group: Command, kind: Kind): void {
  const command = group.command("show").description(`show one ${kind}`).argument(`<${kind}>`, "name or id");
  addExamples(command, `netloom ${kind} show blue -o yaml`);
  command.action(async (nameOrId: string) => {
    const context = contextOf(command);
    await context.printObject(await context.client.find(resourceNames[kind], nameOrId));
  });
}

function addDelete(group: Command, kind: Kind): void {
  const command = group.command("delete").description(`delete ${kind}s`).argument(`<${kind}...>`, "names or ids");
  addExamples(command, `netloom ${kind} delete blue`);
  command.action(async (namesOrIds: readonly string[]) => {
    const { client } = contextOf(command);
    // All are looked up before the first is deleted: a misspelt name changes nothing.
    const ids: string[] = [];
    for (const nameOrId of namesOrIds) ids.push(await client.findId(resourceNames[kind], nameOrId));
    for (const id of ids) await client.remove(resourceNames[kind], id);
  });
}

type Typed = Readonly<Record<string, string | readonly string[] | undefined>>;

function addOptions(command: Command, options: readonly AttributeOption[]): void {
  for (const declared of options) {
    const option = new Option(`--${declared.flag} <value>`, describe(declared));
    if (declared.isList) option.argParser(collect);
    if (declared.isRequired) option.makeOptionMandatory();
    command.addOption(option);
  }
}

function describe(option: AttributeOption): string {
  const notes = [
    option.isList ? "may be repeated, none empties the list" : "",
    option.isNullable && !option.isList ? "or none" : "",
  ];
  const form = [placeholder(option), ...notes].filter((note) => note !== "").join(", ");
  return `${option.description} [${form}]`;
}

async function readAttributes(options: readonly AttributeOption[], typed: Typed, context: CommandContext): Promise<ApiObject> {
  const resolve: Resolve = (kind, nameOrId) =>
    context.client.findId(resourceNames[kind === "subnet" ? "subnet" : "network"], nameOrId);
  const attributes: Record<string, unknown> = {};
  for (const option of options) {
    const value = typed[camelCase(option.flag)];
    if (value !== undefined) attributes[option.attribute] = await attributeValue(option, value, resolve);
  }
  return attributes;
}

const camelCase = (flag: string): string => flag.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
