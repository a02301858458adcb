// Names of ports that DNS can carry: host name and domain together have at most 253 characters.
import { addressHostname } from "../../model/dns-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";

const longestName = 253;
/** Of the names that are made of addresses. */
const longestMadeName = addressHostname("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").length;
const longestDomain = longestName - 1 - longestMadeName;

/** The API keeps the last dot of a domain; in a name it does not count. */
const bare = (domain: string): string => domain.replace(/\.$/, "");

export function checkDomainLength(dnsDomain: string): void {
  const { length } = bare(dnsDomain);
  if (length <= longestDomain) return;
  const why = `host names such as ${addressHostname("10.0.0.5")} must fit in front of it`;
  throw new ApiFault("InvalidInput", `dns_domain has ${length} characters and may have ${longestDomain}: ${why}`);
}

/** @param domain of the port's network, or the default one. */
export function checkNameLength(dnsName: string, domain: string): void {
  const suffix = bare(domain);
  if (dnsName === "") return;
  const isComplete = suffix === "" || dnsName.endsWith(`.${suffix}`);
  const length = dnsName.length + (isComplete ? 0 : 1 + suffix.length);
  if (length <= longestName) return;
  const room = `dns_name and the domain of its network have ${length} characters together, with the dot between them`;
  throw new ApiFault("InvalidInput", `${room}, and may have ${longestName}`);
}

/** Names of ports that are there must fit in front of a new domain. */
export async function checkNamesFit(trx: Trx, networkId: string, domain: string): Promise<void> {
  const room = longestName - (domain === "" ? 0 : 1 + bare(domain).length);
  const named = await trx
    .selectFrom("ports")
    .select(["id", "dns_name"])
    .where("network_id", "=", networkId)
    .where((eb) => eb(eb.fn<number>("length", ["dns_name"]), ">", room))
    .orderBy("id")
    .execute();
  for (const { id, dns_name } of named) {
    try {
      checkNameLength(dns_name, domain);
    } catch (thrown) {
      if (!(thrown instanceof ApiFault)) throw thrown;
      throw new ApiFault(thrown.type, `dns_domain is too long for port ${id}: ${thrown.message}`, thrown);
    }
  }
}
