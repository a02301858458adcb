// What a line of the hosts files says: read back from its text, because text is all that a later agent finds.

export const ignoreWord = "ignore";

export const macOf = (line: string): string => line.slice(0, 17);

/**
 * By what dnsmasq finds the line for a client: MAC, client-id, and the tags that the request must carry. Of several lines
 * that fit a request equally well the one read last counts.
 */
export function identityOf(line: string): string {
  const [mac = "", ...fields] = line.split(",");
  return [mac, ...fields.filter((field) => field.startsWith("tag:") || field.startsWith("id:"))].join(",");
}

export function addressesOf(line: string): readonly string[] {
  const addresses: string[] = [];
  for (const field of line.split(",").slice(1)) {
    if (field.startsWith("[")) addresses.push(field.slice(1, -1));
    else if (/^\d+\.\d+\.\d+\.\d+$/.test(field)) addresses.push(field);
  }
  return addresses;
}

/**
 * Makes dnsmasq silent to those who fit `line`. With the line's own client-id and tags: a line that names them would be
 * preferred to one that does not.
 */
export const tombstoneOf = (line: string): string => `${identityOf(line)},${ignoreWord}`;

export const isTombstone = (line: string): boolean => line.endsWith(`,${ignoreWord}`);

/** The line gives the client a tag, see `HostMemory.isTagged`. */
export const setsTag = (line: string): boolean => line.includes(",set:");
