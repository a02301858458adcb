// Tags of everything that has them.
import { Argument, type Command } from "commander";
import { pathOf, type ResourceName, resourceNames } from "../api-client.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";

const kinds = [
  ...(["network", "subnet", "subnetpool", "port", "router", "floatingip"] as const),
  ...(["security-group", "qos-policy", "trunk", "network-segment-range"] as const),
] as const;
type Kind = (typeof kinds)[number];

export function addTagCommands(root: Command): void {
  const group = root.command("tag").description("tags of objects, by which lists are filtered: --filter tags=web,db");
  addExamples(group, "netloom tag add port web production");
  addCommand(group, { verb: "list", about: "list the tags of an object", tags: false });
  addCommand(group, { verb: "add", about: "add tags to an object", tags: true });
  addCommand(group, { verb: "set", about: "replace the tags of an object", tags: true });
  addCommand(group, { verb: "remove", about: "take tags from an object", tags: true });
}

interface TagCommand {
  readonly verb: "list" | "add" | "set" | "remove";
  readonly about: string;
  readonly tags: boolean;
}

function addCommand(group: Command, { verb, about, tags }: TagCommand): void {
  const command = group.command(verb).description(about).addArgument(new Argument("<kind>", "of the object").choices(kinds));
  command.argument("<object>", "name or id");
  if (tags) command.argument("<tag...>", "tags");
  addExamples(command, `netloom tag ${verb} network blue${tags ? " production" : ""}`);
  command.action(async (kind: Kind, handle: string, ...rest: readonly unknown[]) => {
    const context = contextOf(command);
    const given = tags ? (rest[0] as readonly string[]) : [];
    await context.printObject({ tags: await work(context, { verb, resource: resourceNames[kind], handle, given }) });
  });
}

interface TagWork {
  readonly verb: TagCommand["verb"];
  readonly resource: ResourceName;
  readonly handle: string;
  readonly given: readonly string[];
}

async function work({ client }: CommandContext, { verb, resource, handle, given }: TagWork): Promise<unknown> {
  const id = await client.findId(resource, handle);
  // The tags of an object are an object whose only attribute is the list, without an envelope.
  const all = { singular: "tags", plural: "tags", path: `${pathOf(resource)}/${id}` } as const;
  if (verb === "list") return client.show(all, "tags");
  const before = verb === "set" ? [] : ((await client.show(all, "tags")) as unknown as readonly string[]);
  const after = verb === "remove" ? before.filter((tag) => !given.includes(tag)) : [...new Set([...before, ...given])];
  return (await client.act(resource, id, { action: "tags", body: { tags: after } }))["tags"];
}
