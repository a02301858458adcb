// Names of ports in DNS and in DHCP answers.
import { isIP } from "node:net";
import { addressHostname, type SplitName, splitName } from "../../model/dns-names.ts";
import type { Network, Port } from "../../model/network.ts";
import { checkHostname, isHostname } from "./grammar.ts";

/**
 * The network's domain, without the dot that the API's `dns_domain` ends with; "" for none.
 *
 * @param fallback for networks without one, and for one that is no domain: a bad name must not take DHCP from all ports
 */
export function domainOf(network: Network, fallback: string): string {
  const domain = (network.dnsDomain === "" ? fallback : network.dnsDomain).replace(/\.$/, "").toLowerCase();
  if (domain === "" || isHostname(domain)) return domain;
  return network.dnsDomain === "" ? checkHostname(domain) : domainOf({ ...network, dnsDomain: "" }, fallback);
}

// Without a domain these would be read as a lease time or a keyword in a host line.
const ambiguous = /^(?:ignore|infinite|\d+[smhdw]?|[0-9a-f:]+)$/i;

/** The port's own name, else `host-10-0-0-5`. */
export function nameOf(port: Port, address: string, domain: string): SplitName {
  const own = port.dnsName.replace(/\.$/, "").toLowerCase();
  const isUsable = own !== "" && !(domain === "" && ambiguous.test(own)) && isIP(`${own}.${domain}`) === 0 && isIP(own) === 0;
  const { hostname, fqdn } = splitName(isUsable ? own : addressHostname(address), domain);
  return { fqdn: checkHostname(fqdn), hostname: checkHostname(hostname) };
}
