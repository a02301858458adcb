// The object around attributes: {"port": {…}} for one, {"ports": [{…}, …]} for several at once.
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { quoted } from "../../types/resources/values.ts";

const maxBulk = 1000;

export interface CreateEnvelope {
  readonly isBulk: boolean;
  readonly items: readonly unknown[];
}

export function openCreateEnvelope(resource: ResourceDeclaration, body: unknown): CreateEnvelope {
  const [key, value] = onlyEntry(body, resource.bulk ? [resource.name, resource.collection] : [resource.name]);
  if (key === resource.name) return { isBulk: false, items: [value] };
  if (!Array.isArray(value)) throw badRequest(`Invalid input for ${key}. Reason: ${quoted(value)} is not a list.`);
  if (value.length === 0) throw badRequest(`Resources required: '${key}' is empty.`);
  if (value.length > maxBulk) throw badRequest(`At most ${maxBulk} ${key} can be created at once, not ${value.length}.`);
  return { isBulk: true, items: value.map((item) => unwrap(resource, item)) };
}

export function openUpdateEnvelope(resource: Pick<ResourceDeclaration, "name">, body: unknown): unknown {
  return onlyEntry(body, [resource.name])[1];
}

/** Items of a bulk come bare or each in an envelope of its own. */
function unwrap(resource: ResourceDeclaration, item: unknown): unknown {
  const isWrapped = typeof item === "object" && item !== null && Object.hasOwn(item, resource.name);
  return isWrapped ? onlyEntry(item, [resource.name])[1] : item;
}

function onlyEntry(body: unknown, allowed: readonly string[]): readonly [string, unknown] {
  if (body === undefined) throw badRequest("Resource body required.");
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest(`Resource body required: ${quoted(body)} is not a dictionary.`);
  }
  const entries = Object.entries(body);
  const wanted = entries.find(([key]) => allowed.includes(key));
  if (wanted === undefined) throw badRequest(`Unable to find '${allowed.join("' or '")}' in request body.`);
  const other = entries.find((entry) => entry !== wanted);
  if (other !== undefined) throw badRequest(`Unrecognized key ${quoted(other[0])} beside '${wanted[0]}' in request body.`);
  return wanted;
}

function badRequest(message: string): ApiFault {
  return new ApiFault("HTTPBadRequest", message);
}
