// How full networks are.
import { type Command, Option } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const availability = {
  singular: "network_ip_availability",
  plural: "network_ip_availabilities",
  path: "network-ip-availabilities",
} as const;
const columns = ["network_id", "network_name", "project_id", "total_ips", "used_ips"];

export function addIpAvailabilityCommands(root: Command): void {
  const group = root.command("ip-availability").description("addresses of networks: how many there are, how many ports have");
  const list = group
    .command("list")
    .description("list networks")
    .addOption(new Option("--ip-version <version>", "only subnets of this version").choices(["4", "6"]))
    .action(async ({ ipVersion }: { readonly ipVersion?: string }, command: Command) => {
      const context = contextOf(command);
      const query: [string, string][] = ipVersion === undefined ? [] : [["ip_version", ipVersion]];
      await context.printList(await context.client.list(availability, query), columns);
    });
  addExamples(list, "netloom ip-availability list --ip-version 4");
  const show = group.command("show").description("show one network").argument("<network>", "name or id");
  addExamples(show, "netloom ip-availability show blue").action(async (handle: string, _options: object, command: Command) => {
    const context = contextOf(command);
    const id = await context.client.findId(resourceNames.network, handle);
    await context.printObject(await context.client.show(availability, id));
  });
}
