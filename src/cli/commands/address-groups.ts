// What can be done with an address group beside changing its attributes.
import type { Command } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const resource = resourceNames["address-group"];

export function addAddressGroupCommands(root: Command): void {
  const group = root.commands.find((command) => command.name() === "address-group");
  if (group === undefined) throw new Error("the command `address-group` comes first");
  addChange(group, "add");
  addChange(group, "remove");
}

function addChange(group: Command, verb: "add" | "remove"): void {
  const command = group
    .command(`${verb}-addresses`)
    .description(verb === "add" ? "put addresses into an address group" : "take addresses from an address group")
    .argument("<address-group>", "name or id")
    .argument("<address...>", "addresses, or networks as <address>/<length>");
  addExamples(command, `netloom address-group ${verb}-addresses office 192.0.2.0/24 198.51.100.7`);
  command.action(async (handle: string, addresses: readonly string[]) => {
    const context = contextOf(command);
    const id = await context.client.findId(resource, handle);
    const answer = await context.client.act(resource, id, { action: `${verb}_addresses`, body: { addresses } });
    // The cast: the answer holds the group.
    await context.printObject(answer["address_group"] as typeof answer);
  });
}
