// Bodies without an envelope: the ids that member actions take.
import { ApiFault } from "../../types/api-faults.ts";
import { quoted, Refusal, toUuid } from "../../types/resources/values.ts";

/** `{"network_id": "…"}` and nothing else. */
export function bareIdOf(body: unknown, key: string): string {
  const { [key]: id } = bareIdsOf(body, [key]);
  if (id === undefined) throw new ApiFault("HTTPBadRequest", `Unable to find '${key}' in request body.`);
  return id;
}

/** Of these keys those that are there; others are refused. */
export function bareIdsOf(body: unknown, keys: readonly string[]): Readonly<Record<string, string | undefined>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ApiFault("HTTPBadRequest", `Unable to find '${keys.join("' or '")}' in request body.`);
  }
  const other = Object.keys(body).find((key) => !keys.includes(key));
  if (other !== undefined) throw new ApiFault("HTTPBadRequest", `Unrecognized attribute(s) ${quoted(other)}.`);
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, checked(key, value)]));
}

function checked(key: string, value: unknown): string {
  const id = toUuid(value);
  if (id instanceof Refusal) throw new ApiFault("HTTPBadRequest", `Invalid input for ${key}. Reason: ${id.reason}`);
  return id;
}
