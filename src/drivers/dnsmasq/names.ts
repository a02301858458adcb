// Names of ports in DNS and in DHCP answers.
import type { Network, Port } from "../../model/network.ts";
import { checkHostname } from "./grammar.ts";

export interface PortName {
  /** With the domain, when there is one. */
  readonly fqdn: string;
  readonly hostname: string;
}

/** Without the dot that the API's `dns_domain` ends with. */
export function domainOf(network: Network, fallback: string): string {
  const domain = (network.dnsDomain === "" ? fallback : network.dnsDomain).replace(/\.$/, "").toLowerCase();
  return domain === "" ? "" : checkHostname(domain);
}

// Without a domain these would be read as a lease time or a keyword in a host line.
const ambiguous = /^(?:ignore|infinite|\d+[smhdw]?|[0-9a-f:]+)$/i;

/** The port's own name, else `host-10-0-0-5`. */
export function nameOf(port: Port, address: string, domain: string): PortName {
  const own = port.dnsName.replace(/\.$/, "").toLowerCase();
  const hasOwn = own !== "" && !(domain === "" && ambiguous.test(own));
  const hostname = hasOwn ? own : addressName(address);
  const isComplete = domain === "" || hostname.endsWith(`.${domain}`);
  return {
    fqdn: checkHostname(isComplete ? hostname : `${hostname}.${domain}`),
    hostname: checkHostname(isComplete && domain !== "" ? hostname.slice(0, -domain.length - 1) : hostname),
  };
}

function addressName(address: string): string {
  const name = `host-${address.replace(/[.:]/g, "-")}`;
  // A label may not end with a dash: fd00:: becomes host-fd00--0.
  return name.endsWith("-") ? `${name}0` : name;
}
