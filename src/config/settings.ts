// Reads one program's settings: YAML file (--config), then NETLOOM_<SECTION>_<KEY>, then flags; later ones win.
// The zod schema of the program is the only list of keys. `leaseSeconds` of section `dhcp` is `dhcp: {lease_seconds: …}` in
// the file, NETLOOM_DHCP_LEASE_SECONDS in the environment and --dhcp-lease-seconds on the command line.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { errorText, NetloomError } from "../base/errors.ts";

export type Frozen<T> = T extends readonly (infer I)[]
  ? readonly Frozen<I>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Setting {
  /** `["dhcp", "leaseSeconds"]` */
  readonly path: readonly string[];
  readonly kind: "text" | "number" | "boolean" | "list";
  readonly description: string;
  readonly defaultValue: unknown;
}

interface RawObject {
  [key: string]: unknown;
}

const words = (key: string): string[] => key.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
const fileKey = (key: string): string => words(key).join("_");
const programKey = (key: string): string => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
export const flagName = (setting: Setting): string => setting.path.flatMap(words).join("-");
export const environmentName = (setting: Setting): string => `NETLOOM_${setting.path.flatMap(words).join("_").toUpperCase()}`;
export const fileName = (path: readonly string[]): string => path.map(fileKey).join(".");

/** Every leaf of the schema, in the order of its declaration. */
export function listSettings(schema: z.ZodObject, above: readonly string[] = []): readonly Setting[] {
  return Object.entries(schema.shape).flatMap(([key, declared]) => {
    const path = [...above, key];
    const { type, defaultValue } = unwrap(declared as z.ZodType);
    if (type instanceof z.ZodObject) return listSettings(type, path);
    const description = (declared as z.ZodType).description ?? "";
    return [{ path, kind: kindOf(type), description, defaultValue }];
  });
}

function unwrap(declared: z.ZodType): { readonly type: z.ZodType; readonly defaultValue: unknown } {
  let type: unknown = declared;
  let defaultValue: unknown;
  while (type instanceof z.ZodDefault || type instanceof z.ZodPrefault || type instanceof z.ZodOptional) {
    if (!(type instanceof z.ZodOptional)) defaultValue = type.def.defaultValue;
    type = type.unwrap();
  }
  return { type: type as z.ZodType, defaultValue };
}

function kindOf(type: z.ZodType): Setting["kind"] {
  if (type instanceof z.ZodNumber) return "number";
  if (type instanceof z.ZodBoolean) return "boolean";
  return type instanceof z.ZodArray ? "list" : "text";
}

export interface SettingSources {
  readonly argv: readonly string[];
  readonly env: Environment;
}

/** Throws NetloomError INVALID with one line that names the key and where it came from. */
export async function loadSettings<S extends z.ZodObject>(schema: S, sources: SettingSources): Promise<Frozen<z.output<S>>> {
  const settings = listSettings(schema);
  const flags = readFlags(settings, sources.argv);
  const file = flags["config"] ?? sources.env["NETLOOM_CONFIG"];
  const raw = typeof file === "string" ? await readSettingsFile(file) : {};
  const origins = new Map<string, string>();
  for (const setting of settings) {
    const name = environmentName(setting);
    const text = sources.env[name];
    if (text !== undefined && text !== "")
      place(raw, setting, fromText(setting, text), () => origins.set(fileName(setting.path), name));
    const flag = flags[flagName(setting)];
    if (flag !== undefined) {
      const value = typeof flag === "string" ? fromText(setting, flag) : flag;
      place(raw, setting, value, () => origins.set(fileName(setting.path), `--${flagName(setting)}`));
    }
  }
  const checked = schema.safeParse(raw);
  if (!checked.success) throw invalid(checked.error, origins, typeof file === "string" ? file : undefined);
  return deepFreeze(checked.data) as Frozen<z.output<S>>;
}

function readFlags(settings: readonly Setting[], argv: readonly string[]): Record<string, string | boolean | undefined> {
  const options: Record<string, { type: "string" | "boolean" }> = { config: { type: "string" } };
  for (const setting of settings) options[flagName(setting)] = { type: setting.kind === "boolean" ? "boolean" : "string" };
  try {
    return parseArgs({ args: [...argv], options, allowNegative: true, strict: true }).values;
  } catch (thrown) {
    throw new NetloomError("INVALID", flagProblem(errorText(thrown)), {}, thrown);
  }
}

/** What node says in one line; its advice is kept where the value begins with a dash. */
function flagProblem(text: string): string {
  const [, flag] = /^Option '(--[^' ]+)[^']*' argument is ambiguous/.exec(text) ?? [];
  if (flag !== undefined) return `a value of ${flag} that begins with a dash is given as ${flag}=-…`;
  return text.split(/\. |\n/)[0] ?? text;
}

async function readSettingsFile(file: string): Promise<RawObject> {
  const { parse } = await import("yaml");
  try {
    const content: unknown = parse(await readFile(file, "utf8")) ?? {};
    if (typeof content !== "object" || Array.isArray(content)) throw new Error("it must be a mapping of keys");
    return renameKeys(content) as RawObject;
  } catch (thrown) {
    throw new NetloomError("INVALID", `cannot read settings from ${file}: ${errorText(thrown).split("\n")[0]}`, {}, thrown);
  }
}

function renameKeys(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [programKey(key), renameKeys(inner)]));
}

function fromText(setting: Setting, text: string): unknown {
  if (setting.kind === "number") {
    const number = Number(text);
    return text.trim() === "" || Number.isNaN(number) ? text : number;
  }
  if (setting.kind === "boolean")
    return { true: true, yes: true, "1": true, false: false, no: false, "0": false }[text.toLowerCase()] ?? text;
  if (setting.kind === "list")
    return text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  return text;
}

function place(raw: RawObject, setting: Setting, value: unknown, remember: () => void): void {
  let section = raw;
  for (const key of setting.path.slice(0, -1)) {
    const inner = section[key];
    // A section that the file filled with something else than a mapping stays, for the schema to refuse it by name.
    if (inner !== undefined && (inner === null || typeof inner !== "object")) return;
    section = (section[key] ??= {}) as RawObject;
  }
  section[setting.path.at(-1) ?? ""] = value;
  remember();
}

function invalid(error: z.ZodError, origins: ReadonlyMap<string, string>, file: string | undefined): NetloomError {
  const lines = new Map<string, string>();
  for (const issue of error.issues) {
    const at = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      const unknown = issue.keys.map((key) => fileName([...at, key])).join(", ");
      lines.set(`unknown ${unknown}`, `unknown key ${unknown} in ${file ?? "the settings"}`);
      continue;
    }
    const name = fileName(at);
    // An item of a list comes from where the list comes from.
    const origin = origins.get(name) ?? origins.get(fileName(at.filter((key) => !/^\d+$/.test(key))));
    // Of what is wrong with one value the first is enough, but that a number is no safe integer helps nobody.
    if (lines.has(name) && !lines.get(name)?.includes(String(Number.MAX_SAFE_INTEGER))) continue;
    lines.set(name, `${name === "" ? "settings" : name} (${origin ?? file ?? "default"}): ${problemOf(issue)}`);
  }
  return new NetloomError("INVALID", [...lines.values()].join("; "));
}

/** In the words of people, where zod speaks of types. */
function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "too_small" && issue.origin === "number") return `must be at least ${issue.minimum}`;
  if (issue.code === "too_big" && (issue.origin === "number" || issue.origin === "int"))
    return `must be at most ${issue.maximum}`;
  if (issue.code === "invalid_value") return `must be one of ${issue.values.join(", ")}`;
  if (issue.code !== "invalid_type") return issue.message;
  if (issue.expected === "int") return "must be a whole number";
  if (issue.expected === "number") return "must be a number";
  return issue.expected === "boolean" ? "must be true or false" : issue.message;
}

function deepFreeze(value: unknown): unknown {
  if (value !== null && typeof value === "object") {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
