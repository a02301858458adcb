import { formatAddress, parseAddress, parseCidr } from "../../model/addresses.ts";
import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { converted, listOf, quoted, readOnly, Refusal, text, toCidr } from "./values.ts";

/** A single address is a network of its own; bits of a host are a mistake. */
const block = converted({ type: "string", format: "cidr" }, (value) => {
  const address = typeof value === "string" ? parseAddress(value) : undefined;
  if (address !== undefined) return `${formatAddress(address)}/${address.version === 4 ? 32 : 128}`;
  const cidr = toCidr(value);
  if (cidr instanceof Refusal || typeof value !== "string") return cidr;
  if (parseAddress(value.split("/", 1)[0] ?? "")?.value === parseCidr(cidr)?.first) return cidr;
  return new Refusal(`${quoted(value)} has bits of a host set, '${cidr}' is the network.`);
});

/** Also the body of add_addresses and remove_addresses. */
export const addressesSchema = listOf(block, { maxItems: 1000, nullIsEmpty: true });

const { tags: _untagged, description, ...standard } = standardAttributes;

export const addressGroupResource: ResourceDeclaration = {
  name: "address_group",
  collection: "address_groups",
  path: "address-groups",
  title: "Address group",
  alias: "address-group",
  notFound: "AddressGroupNotFound",
  description: "Addresses that rules of security groups name together.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("address-group"),
    ...ownership,
    addresses: {
      ...access.fixed,
      schema: addressesSchema,
      alias: "address-group",
      description: "Its addresses and networks; changed by add_addresses and remove_addresses.",
    },
    shared: {
      ...access.computed,
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "address-group",
      description: "Whether the caller's project may use it though it is another's.",
    },
    ...standard,
    description: { ...description, schema: text({ maxLength: 1024, multiline: true }) },
  },
};
