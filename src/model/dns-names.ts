// The names that addresses have when their ports have none: what the API shows as dns_assignment and what the DHCP server's DNS
// answers must be the same text.

/** `host-10-0-0-5`. */
export function addressHostname(address: string): string {
  const name = `host-${address.replace(/[.:]/g, "-")}`;
  // A label may not end with a dash: fd00:: becomes host-fd00--0.
  return name.endsWith("-") ? `${name}0` : name;
}

export interface SplitName {
  readonly hostname: string;
  /** With the domain, when there is one; without the last dot. */
  readonly fqdn: string;
}

/** A name that ends with the domain is whole already: `web.blue.example` in `blue.example` is the host `web`. */
export function splitName(name: string, domain: string): SplitName {
  const suffix = domain === "" ? "" : `.${domain}`;
  if (suffix === "" || !name.endsWith(suffix)) return { hostname: name, fqdn: `${name}${suffix}` };
  return { hostname: name.slice(0, -suffix.length), fqdn: name };
}
