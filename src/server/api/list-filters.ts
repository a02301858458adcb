// Query parameters that are no instruction are filters: repeats of one key are alternatives, different keys must all hold.
import { ApiFault } from "../../types/api-faults.ts";
import { attributeOf, type FilterType, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import { isTagFilter, maxTagLength } from "../../types/resources/tags.ts";
import { checkText, quoted, Refusal, toBoolean, toCidr, toInteger, toIp, toMac, toUuid } from "../../types/resources/values.ts";
import { maySee } from "../../types/resources/policy.ts";
import type { ListFilter, RequestContext } from "../services/resource-service.ts";

type FilterValue = string | number | boolean;

/** A text that no object can have; it is no error to ask for it. */
const noValue = Symbol("no value");

const converters: Readonly<Record<Exclude<FilterType, "fixed-ips">, (text: string) => FilterValue | Refusal | typeof noValue>> =
  {
    text: (text) => orNoValue(checkText(text, { maxLength: 4096, multiline: true })),
    uuid: (text) => orNoValue(toUuid(text)),
    integer: toInteger,
    boolean: toBoolean,
    mac: (text) => (text === "" ? noValue : toMac(text)),
    ip: (text) => (text === "" ? noValue : toIp(text)),
    cidr: (text) => (text === "" ? noValue : toCidr(text)),
  };

function orNoValue(value: string | Refusal): string | typeof noValue {
  return value instanceof Refusal ? noValue : value;
}

/** `undefined` when no object can match, so that there is no need to ask. */
export function parseFilters(
  resource: ResourceDeclaration,
  pairs: readonly (readonly [string, string])[],
  context: RequestContext,
): readonly ListFilter[] | undefined {
  const filters = new Map<string, FilterValue[]>();
  const aliases = new Map<string, string>();
  for (const [key, text] of pairs) {
    if (isTagFilter(key) && attributeOf(resource, "tags")?.visible === true) {
      filters.set(key, [...(filters.get(key) ?? []), ...tagsOf(text)]);
      continue;
    }
    const [attribute, value] = parseFilter(resource, key, text, context);
    refuseBothNames(aliases, attribute, key, text);
    const values = filters.get(attribute) ?? [];
    if (value !== noValue) values.push(value);
    filters.set(attribute, values);
  }
  const parsed = [...filters].map(([attribute, values]) => ({ attribute, values: [...new Set(values)] }));
  return parsed.some((filter) => filter.values.length === 0) ? undefined : parsed;
}

/** Tags are separated by commas. No object has the empty tag, as none has one that cannot be a tag. */
const tagsOf = (text: string): readonly string[] =>
  text.split(",").map((tag) => (checkText(tag, { maxLength: maxTagLength }) === tag ? tag : ""));

function parseFilter(
  resource: ResourceDeclaration,
  key: string,
  text: string,
  context: RequestContext,
): readonly [string, FilterValue | typeof noValue] {
  const declared = attributeOf(resource, key);
  const isSecret = declared !== undefined && !maySee(declared, context);
  if (declared?.filter === undefined || isSecret) {
    throw new ApiFault("HTTPBadRequest", `${quoted(key)} is invalid attribute for filtering.`);
  }
  if (declared.filter === "fixed-ips") return parseFixedIpFilter(key, text);
  return [declared.aliasOf ?? key, valueOrFault(key, converters[declared.filter](text))];
}

/** `fixed_ips=subnet_id=…`: the part after the first `=` says what of an address is meant. */
function parseFixedIpFilter(key: string, text: string): readonly [string, FilterValue | typeof noValue] {
  const [, part = "", value = ""] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  const attribute = `${key}.${part}`;
  if (part === "subnet_id") return [attribute, converters.uuid(value) as string | typeof noValue];
  if (part === "ip_address") return [attribute, valueOrFault(key, converters.ip(value))];
  if (part === "ip_address_substr") return [attribute, /^[0-9a-f.:]{1,45}$/i.test(value) ? value.toLowerCase() : noValue];
  throw new ApiFault(
    "HTTPBadRequest",
    `Invalid input for ${key}. Reason: ${quoted(text)} is not ip_address=, subnet_id= or ip_address_substr= with a value.`,
  );
}

function valueOrFault(key: string, value: FilterValue | Refusal | typeof noValue): FilterValue | typeof noValue {
  if (!(value instanceof Refusal)) return value;
  throw new ApiFault("InvalidInput", `Invalid input for filter ${key}. Reason: ${value.reason}`);
}

function refuseBothNames(aliases: Map<string, string>, attribute: string, key: string, text: string): void {
  const seen = aliases.get(attribute);
  const mine = `${key}=${text}`;
  if (seen === undefined) aliases.set(attribute, mine);
  else if (!seen.startsWith(`${key}=`) && seen.slice(seen.indexOf("=") + 1) !== text && !attribute.includes(".")) {
    throw new ApiFault("TenantIdProjectIdFilterConflict", "Both tenant_id and project_id are given, with different values.");
  }
}
