import type { Command } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const columns = ["ip_address", "mac_address", "hostname", "network_id", "port_id", "expires_at", "last_seen_at", "host"];

interface ListOptions {
  readonly network?: string;
  readonly port?: string;
  readonly ip?: string;
  readonly mac?: string;
  readonly hostname?: string;
  readonly host?: string;
  readonly sort?: string;
}

/** Option → filter of the API. */
const plainFilters = { ip: "ip_address", mac: "mac_address", hostname: "hostname", host: "host" } as const;

export function addLeaseCommands(root: Command): void {
  const lease = addExamples(root.command("lease").description("DHCP leases that agents have reported"), "netloom lease list");
  const list = lease
    .command("list")
    .description("list leases")
    .option("--network <network>", "only those of this network (name or id)")
    .option("--port <port>", "only those of this port (name or id)")
    .option("--ip <address>", "only the lease of this address")
    .option("--mac <address>", "only those of this client")
    .option("--hostname <name>", "only those whose client has this name")
    .option("--host <host>", "only those that the agent of this host gave out")
    .option("--sort <attribute[:desc]>", "order, such as expires_at or ip_address:desc");
  addExamples(
    list,
    "netloom lease list --network blue",
    "netloom lease list --mac fa:16:3e:00:00:01 --sort expires_at:desc",
  ).action(async (options: ListOptions, command: Command) => {
    const context = contextOf(command);
    const query: [string, string][] = [];
    for (const name of ["network", "port"] as const) {
      const given = options[name];
      if (given !== undefined) query.push([`${name}_id`, await context.client.findId(resourceNames[name], given)]);
    }
    for (const [option, filter] of Object.entries(plainFilters)) {
      const given = options[option as keyof typeof plainFilters];
      if (given !== undefined) query.push([filter, given]);
    }
    query.push(...sortQuery(options.sort));
    await context.printList(await context.client.list(resourceNames.lease, query), columns);
  });
  const show = lease.command("show").argument("<id>", "lease: <network id>_<address>").description("show one lease");
  addExamples(show, "netloom lease show 0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b_10.0.0.5").action(
    async (id: string, _options: object, command: Command) => {
      const context = contextOf(command);
      await context.printObject(await context.client.show(resourceNames.lease, id));
    },
  );
}

function sortQuery(sort: string | undefined): readonly [string, string][] {
  if (sort === undefined) return [];
  const [key = "", direction = "asc"] = sort.split(":");
  return [
    ["sort_key", key],
    ["sort_dir", direction],
  ];
}
