// Collections inside other objects: rules of QoS policies, helpers of routers, bindings of ports.
import type { Command } from "commander";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { type ApiObject, type ResourceName, resourceNames } from "../api-client.ts";
import type { AttributeOption } from "../attribute-values.ts";
import { aOrAn, pluralOf } from "../words.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";
import { anId, describe } from "./resource-kinds.ts";
import { addOptions, loadOptions, readAttributes, refuseNothing, type Typed } from "./resource-options.ts";

interface Nested {
  /** Command of the object that they are in, and how somebody would call one. */
  readonly parent: "qos-policy" | "router" | "port";
  readonly parentExample: string;
  /** The command, and what people call one of them. */
  readonly name: string;
  readonly title: string;
  readonly resource: ResourceName;
  readonly columns: readonly string[];
  /** What is told apart by: an id of the server, or something else. */
  readonly key: string;
  readonly keyExample: string;
  readonly createExample: string;
  readonly setExample: string;
  readonly load: () => Promise<ResourceDeclaration>;
}

function qosRule(type: string, about: Pick<Nested, "title" | "columns" | "createExample" | "setExample">): Nested {
  const singular = `${type}_rule`;
  return {
    ...about,
    parent: "qos-policy",
    parentExample: "slow",
    name: singular.replaceAll("_", "-"),
    resource: { singular, plural: `${singular}s` },
    key: "id",
    keyExample: anId,
    async load() {
      const { qosRuleKinds } = await import("../../types/resources/qos-rules.ts");
      const kind = qosRuleKinds.find((each) => each.type === type);
      if (kind === undefined) throw new RangeError(`there is no QoS rule of type ${type}`);
      return kind.resource;
    },
  };
}

const all: readonly Nested[] = [
  qosRule("bandwidth_limit", {
    title: "bandwidth limit",
    columns: ["id", "max_kbps", "max_burst_kbps", "direction"],
    createExample: "--max-kbps 10000 --direction ingress",
    setExample: "--max-kbps 20000",
  }),
  qosRule("packet_rate_limit", {
    title: "packet rate limit",
    columns: ["id", "max_kpps", "max_burst_kpps", "direction"],
    createExample: "--max-kpps 10",
    setExample: "--max-kpps 20",
  }),
  qosRule("minimum_bandwidth", {
    title: "minimum bandwidth",
    columns: ["id", "min_kbps", "direction"],
    createExample: "--min-kbps 1000",
    setExample: "--min-kbps 2000",
  }),
  qosRule("minimum_packet_rate", {
    title: "minimum packet rate",
    columns: ["id", "min_kpps", "direction"],
    createExample: "--min-kpps 10 --direction any",
    setExample: "--min-kpps 20",
  }),
  qosRule("dscp_marking", {
    title: "DSCP mark",
    columns: ["id", "dscp_mark"],
    createExample: "--dscp-mark 26",
    setExample: "--dscp-mark 0",
  }),
  {
    parent: "router",
    parentExample: "edge",
    name: "conntrack-helper",
    title: "conntrack helper",
    resource: { singular: "conntrack_helper", plural: "conntrack_helpers" },
    columns: ["id", "protocol", "port", "helper"],
    key: "id",
    keyExample: anId,
    createExample: "--protocol udp --port 69 --helper tftp",
    setExample: "--port 6969",
    load: async () => (await import("../../types/resources/conntrack-helpers.ts")).conntrackHelperResource,
  },
  {
    parent: "port",
    parentExample: "web",
    name: "binding",
    title: "binding",
    resource: { singular: "binding", plural: "bindings" },
    columns: ["host", "status", "vif_type", "vnic_type"],
    key: "host",
    keyExample: "node-2",
    createExample: "--host node-2",
    setExample: "--vnic-type normal",
    load: async () => (await import("../../types/resources/port-bindings.ts")).portBindingResource,
  },
];

/** @param argv tells whether a command needs options from declarations */
export async function addNestedCommands(root: Command, argv: readonly string[]): Promise<void> {
  const needsOptions = argv.includes("create") || argv.includes("set");
  for (const nested of all) {
    const { parent, name, title, load } = nested;
    const above = root.commands.find((command) => command.name() === parent);
    if (above === undefined) throw new Error(`the command ${parent} comes first`);
    const isWanted = needsOptions && argv.includes(name);
    const options = async (verb: "post" | "put") => (isWanted ? loadOptions(load(), verb, ["project_id"]) : []);
    const group = above.command(name).description(`${pluralOf(title)} of ${aOrAn(describe(parent).title)}`);
    addCreate(group, nested, await options("post"));
    addSet(group, nested, await options("put"));
    addList(group, nested);
    addShow(group, nested);
    addDelete(group, nested);
    if (name === "binding") addActivate(group, nested);
  }
}

const named = (command: Command, { parent }: Nested): Command => command.argument(`<${parent}>`, "name or id");
const one = (command: Command, nested: Nested): Command => named(command, nested).argument(`<${nested.key}>`, "of it");

function example(command: Command, { parent, name, parentExample }: Nested, verb: string, rest = ""): void {
  addExamples(command, `netloom ${parent} ${name} ${verb} ${parentExample}${rest === "" ? "" : ` ${rest}`}`);
}

async function inside({ client }: CommandContext, { parent, resource }: Nested, handle: string): Promise<ResourceName> {
  const above: ResourceName = resourceNames[parent];
  const id = await client.findId(above, handle);
  return { ...resource, path: `${above.path ?? above.plural}/${id}/${resource.plural}` };
}

function addCreate(group: Command, nested: Nested, options: readonly AttributeOption[]): void {
  const command = named(group.command("create").description(`create ${aOrAn(nested.title)}`), nested);
  addOptions(command, options);
  example(command, nested, "create", nested.createExample);
  command.action(async (handle: string, typed: Typed) => {
    const context = contextOf(command);
    // A port of a helper is a number: nobody has to look one up.
    const attributes = await readAttributes(options, typed, context);
    await context.printObject(await context.client.create(await inside(context, nested, handle), attributes));
  });
}

function addSet(group: Command, nested: Nested, options: readonly AttributeOption[]): void {
  const command = one(group.command("set").description(`change ${aOrAn(nested.title)}`), nested);
  addOptions(command, options);
  example(command, nested, "set", `${nested.keyExample} ${nested.setExample}`);
  command.action(async (handle: string, key: string, typed: Typed) => {
    const context = contextOf(command);
    const changes = await readAttributes(options, typed, context);
    refuseNothing(changes);
    await context.printObject(await context.client.update(await inside(context, nested, handle), key, changes));
  });
}

function addList(group: Command, nested: Nested): void {
  const command = named(group.command("list").description(`list ${pluralOf(nested.title)}`), nested);
  example(command, nested, "list", "-o json");
  command.action(async (handle: string) => {
    const context = contextOf(command);
    await context.printList(await context.client.list(await inside(context, nested, handle)), nested.columns);
  });
}

function addShow(group: Command, nested: Nested): void {
  const command = one(group.command("show").description(`show one ${nested.title}`), nested);
  example(command, nested, "show", nested.keyExample);
  command.action(async (handle: string, key: string) => {
    const context = contextOf(command);
    await context.printObject(await context.client.show(await inside(context, nested, handle), key));
  });
}

function addDelete(group: Command, nested: Nested): void {
  const command = named(group.command("delete").description(`delete ${pluralOf(nested.title)}`), nested);
  command.argument(`<${nested.key}...>`, "of them");
  example(command, nested, "delete", nested.keyExample);
  command.action(async (handle: string, keys: readonly string[]) => {
    const context = contextOf(command);
    const resource = await inside(context, nested, handle);
    // All are looked up before the first is deleted: a misspelt one changes nothing.
    for (const key of keys) await context.client.show(resource, key);
    for (const key of keys) await context.client.remove(resource, key);
  });
}

function addActivate(group: Command, nested: Nested): void {
  const command = one(group.command("activate").description("move a port to the host of a binding"), nested);
  example(command, nested, "activate", nested.keyExample);
  command.action(async (handle: string, host: string) => {
    const context = contextOf(command);
    const resource = await inside(context, nested, handle);
    const binding: ApiObject = await context.client.act(resource, encodeURIComponent(host), { action: "activate", body: {} });
    await context.printObject(binding);
  });
}
