// Compares what the client was told with what the API says. Each difference is one sentence.
import type { ApiObject } from "./api.ts";
import type { ClientOptions } from "./instance.ts";

export interface Told {
  readonly network: ApiObject;
  readonly subnet: ApiObject;
  readonly port: ApiObject;
  readonly client: ClientOptions;
}

/** The domain of networks that have none of their own, unless the agent is told otherwise. */
const defaultDomain = "openstacklocal";

export function findDifferences({ network, subnet, port, client }: Told): readonly string[] {
  const fixedIps = port["fixed_ips"] as readonly { readonly ip_address: string }[];
  const ownDomain = String(network["dns_domain"]).replace(/\.$/, "");
  const expected: Readonly<Record<string, string>> = {
    ip: fixedIps[0]?.ip_address ?? "(none)",
    mask: String(subnet["cidr"]).split("/")[1] ?? "",
    router: String(subnet["gateway_ip"]),
    dns: (subnet["dns_nameservers"] as readonly string[]).join(" "),
    mtu: String(network["mtu"]),
    domain: ownDomain === "" ? defaultDomain : ownDomain,
  };
  return Object.entries(expected).flatMap(([name, value]) =>
    client[name] === value ? [] : [`${name}: the API says ${value}, the client got ${client[name] || "nothing"}`],
  );
}
