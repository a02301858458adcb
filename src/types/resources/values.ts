// The kinds of value that attributes are made of: each checks what a client sent and gives the canonical value.
// The metadata is the JSON Schema of what clients may send.
import { z } from "zod";
import { canonicalAddress, formatCidr, normaliseMac, parseCidr } from "../../model/addresses.ts";

/** Why a value is not accepted, for the client. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export type JsonShape = Readonly<Record<string, unknown>>;

/** A schema of one step. zod's chains cost several times as much per value, and a bulk of 1,000 ports has 20,000 values. */
export function converted<T>(shape: JsonShape, convert: (value: unknown) => T | Refusal): z.ZodType<T, unknown> {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = value === undefined ? new Refusal("it is missing.") : convert(value);
      if (!(result instanceof Refusal)) return result;
      context.issues.push({ code: "custom", message: result.reason, input: value });
      return z.NEVER;
    })
    .meta(shape);
}

/** A client's value inside a message: short, on one line, strings in single quotes. */
export function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  // JSON escapes keep control characters and lone surrogates of a client out of our answers and logs.
  const safe = JSON.stringify(text.slice(0, 80)).slice(1, -1).replaceAll(String.raw`\"`, '"');
  return `'${safe}${text.length > 80 ? "…" : ""}'`;
}

const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const controlExceptLineBreaks = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

interface TextRules {
  readonly maxLength: number;
  readonly minLength?: number;
  /** Line breaks and tabs are fine: text for people that reaches no file and no command. */
  readonly multiline?: true;
  /** Not only blanks, unless empty. */
  readonly notBlank?: true;
}

/** Checks without converting; used by schemas and by filters. */
export function checkText(value: unknown, rules: TextRules): string | Refusal {
  if (typeof value !== "string") return new Refusal(`${quoted(value)} is not a valid string.`);
  if (value.length > rules.maxLength) return new Refusal(`${quoted(value)} exceeds maximum length of ${rules.maxLength}.`);
  if (value.length < (rules.minLength ?? 0)) return new Refusal(`${quoted(value)} is shorter than ${rules.minLength ?? 0}.`);
  if ((rules.multiline === true ? controlExceptLineBreaks : controlCharacter).test(value)) {
    return new Refusal(`${quoted(value)} contains control characters.`);
  }
  if (!value.isWellFormed()) return new Refusal(`${quoted(value)} is not well-formed Unicode.`);
  if (rules.notBlank === true && value !== "" && value.trim() === "") return new Refusal("only blanks are not a value.");
  return value;
}

export function text(rules: TextRules): z.ZodType<string, unknown> {
  return converted({ type: "string", maxLength: rules.maxLength }, (value) => checkText(value, rules));
}

export function toBoolean(value: unknown): boolean | Refusal {
  if (typeof value === "boolean") return value;
  const spelled = typeof value === "string" ? value.toLowerCase() : value;
  if (spelled === "true" || spelled === "1" || spelled === 1) return true;
  if (spelled === "false" || spelled === "0" || spelled === 0) return false;
  return new Refusal(`${quoted(value)} cannot be converted to boolean.`);
}

export const boolean = converted({ type: "boolean" }, toBoolean);

/** A switch that cannot be on here. */
export function never(why: string): z.ZodType<boolean, unknown> {
  return converted({ type: "boolean", enum: [false] }, (value) => {
    const isOn = toBoolean(value);
    return isOn === true ? new Refusal(why) : isOn;
  });
}

export function toInteger(value: unknown): number | Refusal {
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return Object.is(number, -0) ? 0 : number;
  return new Refusal(`${quoted(value)} is not an integer.`);
}

/** Bounds are inclusive; the default upper one is what an integer column of every database holds. */
export function integer(minimum: number, maximum = 2_147_483_647): z.ZodType<number, unknown> {
  return converted({ type: "integer", minimum, maximum }, (value) => {
    const number = toInteger(value);
    if (number instanceof Refusal) return number;
    if (number < minimum) return new Refusal(`${quoted(value)} is too small - must be at least '${minimum}'.`);
    if (number > maximum) return new Refusal(`${quoted(value)} is too large - must be no larger than '${maximum}'.`);
    return number;
  });
}

const uuidText = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function toUuid(value: unknown): string | Refusal {
  if (typeof value === "string" && uuidText.test(value)) return value.toLowerCase();
  return new Refusal(`${quoted(value)} is not a valid UUID.`);
}

export const uuid = converted({ type: "string", format: "uuid" }, toUuid);

/** An id, or the word by which clients ask for prefix delegation: that there is none is the service's to say. */
export const subnetPoolId = converted({ type: "string" }, (value) => (value === "prefix_delegation" ? value : toUuid(value)));

export function toMac(value: unknown): string | Refusal {
  const mac = typeof value === "string" ? normaliseMac(value) : undefined;
  if (mac === undefined || mac === "00:00:00:00:00:00") return new Refusal(`${quoted(value)} is not a valid MAC address.`);
  // The lowest bit of the first octet marks a group: no kernel takes such an address for a device.
  if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) return new Refusal(`${quoted(value)} is a multicast MAC address.`);
  return mac;
}

export const macAddress = converted({ type: "string", format: "mac-address" }, toMac);

export function toIp(value: unknown): string | Refusal {
  const ip = typeof value === "string" ? canonicalAddress(value) : undefined;
  return ip ?? new Refusal(`${quoted(value)} is not a valid IP address.`);
}

export const ipAddress = converted({ type: "string", format: "ip" }, toIp);

export function toCidr(value: unknown): string | Refusal {
  const block = typeof value === "string" ? parseCidr(value) : undefined;
  if (block !== undefined) return formatCidr(block);
  return new Refusal(`${quoted(value)} is not a valid IP subnet, written as <address>/<length>.`);
}

export const cidr = converted({ type: "string", format: "cidr" }, toCidr);

/** An address or a network; an address stays without a length. */
export const ipAddressOrCidr = converted({ type: "string", format: "cidr" }, (value) =>
  typeof value === "string" && value.includes("/") ? toCidr(value) : toIp(value),
);

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function checkDnsName(value: unknown): string | Refusal {
  const checked = checkText(value, { maxLength: 255 });
  if (checked instanceof Refusal || checked === "") return checked;
  const name = checked.toLowerCase();
  const labels = (name.endsWith(".") ? name.slice(0, -1) : name).split(".");
  if (labels.every((part) => label.test(part))) return name;
  return new Refusal(`${quoted(value)} is not a valid DNS name: labels have 1 to 63 letters, digits or inner hyphens.`);
}

/** "" or labels joined by dots, with or without the last dot; answers in lower case. */
export const dnsName = converted({ type: "string", maxLength: 255 }, checkDnsName);

/** The name of a host in its domain: the last dot of a client that means the root says nothing here. */
export const dnsHostname = converted({ type: "string", maxLength: 255 }, (value) => {
  const name = checkDnsName(value);
  return name instanceof Refusal ? name : name.replace(/\.$/, "");
});

export function oneOf<T extends string | number>(values: readonly T[]): z.ZodType<T, unknown> {
  return converted({ enum: values }, (value) => {
    // Numbers may come as text: "4" is 4.
    const found = values.find((known) => known === value || (typeof known === "number" && String(known) === value));
    return found ?? new Refusal(`${quoted(value)} is not in [${values.map((known) => `'${known}'`).join(", ")}].`);
  });
}

/** null, or what `schema` takes. */
export function orNull<T>(schema: z.ZodType<T, unknown>): z.ZodType<T | null, unknown> {
  return schema.nullable();
}

interface ListRules<T> {
  readonly maxItems: number;
  readonly minItems?: number;
  /** null is the empty list. */
  readonly nullIsEmpty?: true;
  /** Two items with the same key are refused; items without a key are not compared. */
  readonly uniqueBy?: (item: T) => string | undefined;
}

export function listOf<T>(item: z.ZodType<T, unknown>, rules: ListRules<T>): z.ZodType<T[], unknown> {
  const { maxItems, minItems = 0, uniqueBy } = rules;
  const list = z
    .array(item, { error: (issue) => `${quoted(issue.input)} is not a list.` })
    .min(minItems, { error: `at least ${minItems} items are needed.`, abort: true })
    .max(maxItems, { error: `more than ${maxItems} items are not accepted.`, abort: true })
    .superRefine((items, context) => {
      const twice = uniqueBy === undefined ? undefined : firstDuplicate(items.map(uniqueBy));
      if (twice !== undefined) context.addIssue(`${quoted(twice)} is given twice.`);
    });
  return rules.nullIsEmpty === true ? z.preprocess((value) => value ?? [], list) : list;
}

function firstDuplicate(keys: readonly (string | undefined)[]): string | undefined {
  const seen = new Set<string>();
  for (const key of keys) {
    if (key === undefined) continue;
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

/** An object with these keys and no others. */
export function record<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `unknown key ${quoted(issue.keys[0])}.`
        : `${quoted(issue.input)} is not a dictionary.`,
  });
}

/** Any JSON object, kept as it is; null is the empty one. */
export function jsonObject(maxBytes: number): z.ZodType<Readonly<Record<string, unknown>>, unknown> {
  return converted({ type: "object" }, (value) => {
    if (value === null) return {};
    if (typeof value !== "object" || Array.isArray(value)) return new Refusal(`${quoted(value)} is not a dictionary.`);
    if (JSON.stringify(value).length > maxBytes) return new Refusal(`its JSON is longer than ${maxBytes} characters.`);
    return { ...value };
  });
}

/** The value of a read-only attribute: never parsed, described for OpenAPI. */
export function readOnly(shape: JsonShape): z.ZodType {
  return z.unknown().meta(shape);
}
