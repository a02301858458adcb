// Address groups: addresses that rules of security groups name together.
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Selectable } from "kysely";
import { addressKey, parseAddress } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { addressesSchema, addressGroupResource } from "../../types/resources/address-groups.ts";
import { AnswerView } from "../api/answer-view.ts";
import type { ApiPart } from "../api/api-part.ts";
import { openUpdateEnvelope } from "../api/body-envelope.ts";
import { idOf, registerCollection, revisionOf } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { described } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import { forgetSharing, presentShared, sharedFilter, visibleObjects } from "../services/sharing.ts";
import { newNamedRow, renamed } from "../services/standard-rows.ts";
import { type Change, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import type { AddressGroupsTable } from "../store/schema-kept.ts";
import { standardColumns } from "../store/list-rows.ts";

type Row = Selectable<AddressGroupsTable>;

const type = "address_group";
/** More than any rule is meant to name; the whole group is one value of one row. */
const maxAddresses = 10_000;

export function addressGroupPart(deps: ServiceDeps): ApiPart {
  const service = new StandardService(deps, spec);
  return {
    resources: [addressGroupResource],
    extensions: [extension("address-group", "Address groups", "Addresses that go by one name.")],
    register: (app) => {
      registerCollection(app, addressGroupResource, service);
      for (const verb of ["add", "remove"] as const) registerAction(app, service, verb);
    },
  };
}

type Verb = "add" | "remove";

/** What the service is asked to do; no attribute of the API has these names. */
const wishes = { add: "add addresses", remove: "remove addresses" } as const satisfies Record<Verb, string>;

/** Bare, as clients send it; inside `address_group` it is taken, too. */
const request = {
  type: "object",
  properties: { addresses: { type: "array", items: { type: "string", format: "cidr" } } },
  required: ["addresses"],
  additionalProperties: false,
} as const;

function registerAction(app: FastifyInstance, service: StandardService<Row>, verb: Verb): void {
  const view = new AnswerView(addressGroupResource);
  app.put(
    `/v2.0/${addressGroupResource.path}/:id/${verb}_addresses`,
    described(verb === "add" ? "Put addresses into an address group" : "Take addresses from an address group", { request }),
    scoped(async (request, _reply, context) => {
      const id = idOf(request, addressGroupResource, context);
      const changes = { [wishes[verb]]: addressesOf(request) };
      const group = await service.update(context, id, changes, revisionOf(request, addressGroupResource));
      return { address_group: view.one(group, context) };
    }),
  );
}

/** `{"addresses": […]}`, bare or inside `address_group`. */
function addressesOf({ body }: FastifyRequest): readonly string[] {
  const isWrapped = typeof body === "object" && body !== null && Object.hasOwn(body, "address_group");
  const sent: unknown = isWrapped ? openUpdateEnvelope(addressGroupResource, body) : body;
  const isAlone = typeof sent === "object" && sent !== null && Object.keys(sent).join() === "addresses";
  if (!isAlone)
    throw new ApiFault("HTTPBadRequest", "Invalid input for address_group. Reason: it takes 'addresses' and nothing else.");
  // The cast: the key was looked for.
  const parsed = addressesSchema.safeParse((sent as { readonly addresses: unknown }).addresses);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ApiFault("HTTPBadRequest", `Invalid input for addresses. Reason: ${issue?.message ?? "it is not accepted."}`);
}

const spec: StandardSpec<Row> = {
  resource: addressGroupResource,
  quota: "address_group",
  listed: {
    table: "address_groups",
    columns: { ...standardColumns },
    filters: { shared: sharedFilter(type) },
  },
  visible: (context) => visibleObjects(context, type),
  present: (db, rows, context) => presentShared(db, rows, { type, context, own: presentOwn }),
  newRow: (context, body, now) => ({
    ...newNamedRow(context, body, now),
    addresses: addressesJson(listOf(body["addresses"])),
  }),
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
    addresses: changedAddresses(before, changes),
  }),
  checkChange: refuseTooMany,
  checkRemove,
};

/** The cast: the route has checked the shape. */
const listOf = (value: unknown): readonly string[] => (value ?? []) as readonly string[];

function changedAddresses(before: Row, changes: Attributes): string {
  const held = new Set(JSON.parse(before.addresses) as string[]);
  const [added, removed] = [new Set(listOf(changes[wishes.add])), new Set(listOf(changes[wishes.remove]))];
  const known = [...added].filter((address) => held.has(address));
  if (known.length > 0) {
    throw new ApiFault(
      "AddressesAlreadyExist",
      `Addresses ${known.join(", ")} already exist in the address group ${before.id}.`,
    );
  }
  const unknown = [...removed].filter((address) => !held.has(address));
  if (unknown.length > 0) {
    throw new ApiFault("AddressesNotFound", `Addresses ${unknown.join(", ")} not found in the address group ${before.id}.`);
  }
  return addressesJson([...[...held].filter((address) => !removed.has(address)), ...added]);
}

/** IPv4 before IPv6, each by address: the same set is the same text. */
function addressesJson(addresses: readonly string[]): string {
  const key = (block: string): string => {
    const [first = "", length = ""] = block.split("/");
    const address = parseAddress(first);
    return address === undefined ? block : `${address.version} ${addressKey(address)} ${length.padStart(3, "0")}`;
  };
  const keyed = [...new Set(addresses)].map((block) => ({ block, key: key(block) }));
  return JSON.stringify(keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ block }) => block));
}

async function refuseTooMany(_trx: Trx, { after }: Change<Row>): Promise<void> {
  const { length } = JSON.parse(after.addresses) as string[];
  if (length <= maxAddresses) return;
  throw new ApiFault("InvalidInput", `Address group ${after.id} would have ${length} addresses, more than ${maxAddresses}.`);
}

async function checkRemove(trx: Trx, _context: RequestContext, { id }: Row): Promise<void> {
  for (const table of ["security_group_rules", "default_security_group_rules"] as const) {
    const user = await trx.selectFrom(table).select("id").where("remote_address_group_id", "=", id).limit(1).executeTakeFirst();
    if (user === undefined) continue;
    throw new ApiFault("AddressGroupInUse", `Address group ${id} is in use on one or more security group rules (${user.id}).`);
  }
  await forgetSharing(trx, { type, id });
}

const presentOwn = (row: Row): Attributes => ({ addresses: JSON.parse(row.addresses) });
