// What people type behind an option → the value that the API takes. The server checks it: its rules are in one place.
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export type OptionKind = "text" | "integer" | "boolean" | "object" | "record";

export interface AttributeOption {
  readonly attribute: string;
  /** Without dashes in front; also the key of commander, in camel case. */
  readonly flag: string;
  readonly kind: OptionKind;
  readonly isList: boolean;
  readonly isNullable: boolean;
  readonly choices: readonly string[];
  /** Keys of a record, as the API writes them. */
  readonly keys: Readonly<Record<string, OptionKind>>;
  readonly isRequired: boolean;
  readonly description: string;
}

export type Reference =
  | "network"
  | "subnet"
  | "port"
  | "router"
  | "subnetpool"
  | "address-scope"
  | "security-group"
  | "address-group"
  | "qos-policy";

/** Turns a name or id into an id. */
export type Resolve = (kind: Reference, nameOrId: string) => Promise<string>;

/** Attributes and keys that hold the id of another object: the flag takes a name too. */
export const references: Readonly<Record<string, Reference>> = {
  network_id: "network",
  floating_network_id: "network",
  subnet_id: "subnet",
  port_id: "port",
  internal_port_id: "port",
  subnetpool_id: "subnetpool",
  address_scope_id: "address-scope",
  security_groups: "security-group",
  security_group_id: "security-group",
  remote_group_id: "security-group",
  remote_address_group_id: "address-group",
  qos_policy_id: "qos-policy",
};

/** Flags that cannot be made of the attribute, or of the kind of what it holds. */
export const flagNames: Readonly<Record<string, string>> = {
  remote_group_id: "remote-group",
  remote_address_group_id: "remote-address-group",
  addresses: "address",
};

/** In a template the group that the rule will be in, and no name. */
const parentGroup = "PARENT";

/** What stands behind the flag in the help. */
export function placeholder(option: AttributeOption): string {
  if (option.kind === "record")
    return Object.keys(option.keys)
      .map((key) => `${keyFlag(key)}=…`)
      .join(",");
  if (option.choices.length > 0 && option.choices.length <= 4) return option.choices.join("|");
  if (option.kind === "boolean") return "true|false";
  if (option.kind === "object") return "json";
  return references[option.attribute] === undefined ? option.kind : "name or id";
}

const keyFlag = (key: string): string => (references[key] ?? key).replaceAll("_", "-");

/** The attribute's value from what was typed. */
export async function attributeValue(
  option: AttributeOption,
  typed: string | readonly string[],
  resolve: Resolve,
): Promise<unknown> {
  if (typeof typed === "string") return itemValue(option, typed, resolve);
  // A list is emptied by `none`: an option without a value cannot be repeated.
  if (typed.length === 1 && (typed[0] === "none" || typed[0] === "")) return [];
  return Promise.all(typed.map((text) => itemValue(option, text, resolve)));
}

async function itemValue(option: AttributeOption, text: string, resolve: Resolve): Promise<unknown> {
  if (option.isNullable && text === "none") return null;
  const reference = references[option.attribute];
  if (option.attribute === "remote_group_id" && text === parentGroup) return text;
  if (reference !== undefined) return resolve(reference, text);
  if (option.kind === "record") return recordValue(option, text, resolve);
  return scalarValue(option.kind, option.flag, text);
}

function scalarValue(kind: OptionKind, name: string, text: string): unknown {
  if (kind === "integer") {
    if (/^-?\d+$/.test(text)) return Number(text);
    throw new CommandFailure(exitCodes.usage, `--${name} takes a whole number, not ${JSON.stringify(text)}`);
  }
  if (kind === "boolean") {
    if (text === "true" || text === "false") return text === "true";
    throw new CommandFailure(exitCodes.usage, `--${name} takes true or false, not ${JSON.stringify(text)}`);
  }
  if (kind !== "object") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new CommandFailure(exitCodes.usage, `--${name} takes a JSON object`, thrown);
  }
}

async function recordValue(option: AttributeOption, text: string, resolve: Resolve): Promise<unknown> {
  const known = new Map(Object.keys(option.keys).map((key) => [keyFlag(key), key]));
  const entries: [string, unknown][] = [];
  for (const part of text.split(",")) {
    const [name = "", ...rest] = part.split("=");
    const key = known.get(name.replaceAll("_", "-")) ?? known.get(name.replace(/[_-]id$/, ""));
    // A value may hold commas itself (DHCP options do): what is not key=value goes on with the value before.
    const last = entries.at(-1);
    if ((rest.length === 0 || key === undefined) && typeof last?.[1] === "string") {
      last[1] = `${last[1]},${part}`;
      continue;
    }
    if (key === undefined || rest.length === 0) {
      throw new CommandFailure(exitCodes.usage, `--${option.flag} takes ${placeholder(option)}, not ${JSON.stringify(text)}`);
    }
    entries.push([key, rest.join("=")]);
  }
  const values = await Promise.all(
    entries.map(async ([key, value]) => {
      const reference = references[key];
      if (reference !== undefined) return [key, await resolve(reference, String(value))];
      return [key, scalarValue(option.keys[key] ?? "text", option.flag, String(value))];
    }),
  );
  return Object.fromEntries(values) as unknown;
}
