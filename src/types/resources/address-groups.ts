import { formatAddress, parseAddress } from "../../model/addresses.ts";
import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { converted, listOf, readOnly, text, toCidr } from "./values.ts";

/** A single address is a network of its own; an address in a network stands for the network. */
const block = converted({ type: "string", format: "cidr" }, (value) => {
  const address = typeof value === "string" ? parseAddress(value) : undefined;
  return address === undefined ? toCidr(value) : `${formatAddress(address)}/${address.version === 4 ? 32 : 128}`;
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
