// The query string of a list: what to leave out, in which order, and how much at once.
import { ApiFault } from "../../types/api-faults.ts";
import { attributeOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import { maySee } from "../../types/resources/policy.ts";
import { quoted, Refusal, toBoolean } from "../../types/resources/values.ts";
import type { ListQuery, RequestContext } from "../services/resource-service.ts";
import { parseFilters } from "./list-filters.ts";
import { parseId } from "./object-id.ts";

export interface ListRequest {
  readonly query: ListQuery;
  /** Absent: all attributes. */
  readonly fields?: readonly string[];
  /** The filters name a value that no object can have. */
  readonly matchesNothing: boolean;
}

const instructions = new Set(["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse", "changed_since"]);

/** @param maxPageSize most objects in an answer; 0: any number */
export function parseListRequest(
  resource: ResourceDeclaration,
  params: URLSearchParams,
  context: RequestContext,
  maxPageSize = 0,
): ListRequest {
  const filters = parseFilters(
    resource,
    [...params].filter(([key]) => !instructions.has(key)),
    context,
  );
  const fields = parseFields(params);
  const limit = withMost(parseLimit(params.get("limit")), maxPageSize);
  const marker = params.get("marker") ?? "";
  const changedSince = parseChangedSince(resource, params.get("changed_since"));
  return {
    query: {
      filters: filters ?? [],
      sorts: parseSorts(resource, params, context),
      pageReverse: parsePageReverse(params.get("page_reverse")),
      ...(limit === undefined ? {} : { limit }),
      ...(marker === "" ? {} : { marker: parseId(resource, marker) }),
      ...(changedSince === undefined ? {} : { changedSince }),
    },
    ...(fields === undefined ? {} : { fields }),
    matchesNothing: filters === undefined,
  };
}

/** Unknown names are ignored later, where the known ones are picked. */
export function parseFields(params: URLSearchParams): readonly string[] | undefined {
  const fields = params.getAll("fields").filter((name) => name !== "");
  return fields.length === 0 ? undefined : fields;
}

function parseSorts(resource: ResourceDeclaration, params: URLSearchParams, context: RequestContext): ListQuery["sorts"] {
  const keys = params.getAll("sort_key");
  const directions = params.getAll("sort_dir");
  if (keys.length !== directions.length && directions.length > 0) {
    throw badRequest("The number of sort_keys and sort_dirs must be same.");
  }
  const sorts = keys.map((key, index) => {
    const declared = attributeOf(resource, key);
    const isSecret = declared !== undefined && !maySee(declared, context);
    if (declared?.sort !== true || isSecret) throw badRequest(`${quoted(key)} is invalid attribute for sort_key.`);
    const direction = directions[index] ?? "asc";
    if (direction !== "asc" && direction !== "desc") {
      throw badRequest(`${quoted(direction)} is invalid value for sort_dir: it is asc or desc.`);
    }
    return { key: declared.aliasOf ?? key, direction } as const;
  });
  // A key that comes again decides nothing any more, and a page behind a marker costs the square of their number.
  return sorts.filter((sort, index) => sorts.findIndex(({ key }) => key === sort.key) === index);
}

/** 0 and nothing at all are no limit. */
function parseLimit(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw badRequest(`Limit must be an integer 0 or greater and not ${quoted(text)}.`);
  return Number(text) === 0 ? undefined : Number(text);
}

const withMost = (limit: number | undefined, most: number): number | undefined =>
  most === 0 ? limit : Math.min(limit ?? most, most);

function parsePageReverse(text: string | null): boolean {
  const isReverse = toBoolean(text ?? false);
  if (isReverse instanceof Refusal) throw badRequest(`Invalid input for page_reverse. Reason: ${isReverse.reason}`);
  return isReverse;
}

const moment = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/;

function parseChangedSince(resource: ResourceDeclaration, text: string | null): string | undefined {
  if (text === null) return undefined;
  if (attributeOf(resource, "updated_at") === undefined)
    throw badRequest("'changed_since' is invalid attribute for filtering.");
  // A moment without a zone is UTC here, whatever the zone of this machine; `+` of a zone may have arrived as a blank.
  const spelled = text.replace(" ", "T");
  const zoned = /[Z]$|[+-]\d\d:?\d\d$/.test(spelled.slice(10)) || spelled.length === 10 ? spelled : `${spelled}Z`;
  const ms = moment.test(text) ? Date.parse(zoned) : Number.NaN;
  if (Number.isNaN(ms))
    throw new ApiFault("InvalidInput", `Invalid input for changed_since. Reason: ${quoted(text)} is not an ISO 8601 time.`);
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function badRequest(message: string): ApiFault {
  return new ApiFault("HTTPBadRequest", message);
}
