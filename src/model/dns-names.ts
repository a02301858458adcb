// The names that addresses have when their ports have none: what the API shows as dns_assignment and what the DHCP server's DNS
// answers must be the same text.

/** `host-10-0-0-5`. */
export function addressHostname(address: string): string {
  const name = `host-${address.replace(/[.:]/g, "-")}`;
  // A label may not end with a dash: fd00:: becomes host-fd00--0.
  return name.endsWith("-") ? `${name}0` : name;
}
