import type { Command } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const columns = ["ip_address", "mac_address", "hostname", "network_id", "port_id", "expires_at", "host"];

export function addLeaseCommands(root: Command): void {
  const lease = addExamples(root.command("lease").description("DHCP leases that agents have reported"), "netloom lease list");
  const list = lease
    .command("list")
    .description("list leases")
    .option("--network <network>", "only those of this network (name or id)")
    .option("--port <port>", "only those of this port (name or id)");
  addExamples(list, "netloom lease list --network blue").action(
    async (options: { network?: string; port?: string }, command: Command) => {
      const context = contextOf(command);
      const query: [string, string][] = [];
      for (const name of ["network", "port"] as const) {
        const given = options[name];
        if (given !== undefined) query.push([`${name}_id`, await context.client.findId(resourceNames[name], given)]);
      }
      await context.printList(await context.client.list(resourceNames.lease, query), columns);
    },
  );
}
