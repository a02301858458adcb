// The version of netloom, as package.json says: what `--version`, the API and the agents tell.
import { readFileSync } from "node:fs";

export function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return String((JSON.parse(readFileSync(file, "utf8")) as { version?: unknown }).version);
}
