// How commands print: a table for people, JSON or YAML for programs. Standard output carries nothing else.
import type { ApiObject } from "./api-client.ts";

export type OutputFormat = "table" | "json" | "yaml";
export const outputFormats: readonly OutputFormat[] = ["table", "json", "yaml"];

const plainBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Text of `objects` with these columns, ending in a newline. */
export async function formatList(
  objects: readonly ApiObject[],
  columns: readonly string[],
  format: OutputFormat,
): Promise<string> {
  if (format !== "table") return formatValue(objects, format);
  const rows = objects.map((object) => columns.map((column) => formatCell(object[column])));
  return formatRows([columns.map(columnTitle), ...rows]);
}

/** One object, an attribute per line. */
export async function formatObject(object: ApiObject, format: OutputFormat): Promise<string> {
  if (format !== "table") return formatValue(object, format);
  const names = Object.keys(object).sort();
  return formatRows(names.map((name) => [name, formatCell(object[name])]));
}

async function formatValue(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return `${JSON.stringify(value, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(value);
}

async function formatRows(rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const table = new Table({ chars: plainBorders, style: { "padding-left": 0, "padding-right": 0, head: [], border: [] } });
  for (const row of rows) table.push([...row]);
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

const columnTitle = (column: string): string => column.toUpperCase();

// Anything below 0x20 could move the cursor or recolour the terminal of whoever lists a tenant's names.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/g;

function formatCell(value: unknown): string {
  const text = cellText(value);
  return text.replace(controlCharacters, "?");
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(itemText).join(", ");
  return itemText(value);
}

/** `{subnet_id, ip_address}` → `ip_address=…, subnet_id=…` in one cell. */
function itemText(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const fixedIp = value as { readonly ip_address?: unknown; readonly subnet_id?: unknown };
  if (typeof fixedIp.ip_address === "string" && fixedIp.subnet_id !== undefined) return fixedIp.ip_address;
  return Object.entries(value)
    .map(([key, inner]) => `${key}=${typeof inner === "object" ? JSON.stringify(inner) : String(inner)}`)
    .join(" ");
}
