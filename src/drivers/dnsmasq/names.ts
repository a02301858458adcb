// Names of ports in DNS and in DHCP answers.
import { isIP } from "node:net";
import { addressHostname } from "../../model/dns-names.ts";
import type { Network, Port } from "../../model/network.ts";
import { checkHostname, isHostname } from "./grammar.ts";

export interface PortName {
  /** With the domain, when there is one. */
  readonly fqdn: string;
  readonly hostname: string;
}

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
export function nameOf(port: Port, address: string, domain: string): PortName {
  const own = port.dnsName.replace(/\.$/, "").toLowerCase();
  const isUsable = own !== "" && !(domain === "" && ambiguous.test(own)) && isIP(`${own}.${domain}`) === 0 && isIP(own) === 0;
  const hostname = isUsable ? own : addressHostname(address);
  const isComplete = domain === "" || hostname.endsWith(`.${domain}`);
  return {
    fqdn: checkHostname(isComplete ? hostname : `${hostname}.${domain}`),
    hostname: checkHostname(isComplete && domain !== "" ? hostname.slice(0, -domain.length - 1) : hostname),
  };
}
