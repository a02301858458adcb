// `<state_dir>/.netloom`: says that a state directory is ours, and under which names `netloom up` works in it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { NetloomError } from "../base/errors.ts";

/** What `down` and `port plug` must know to find what `up` made. */
export interface Marker {
  readonly version: 1;
  readonly host: string;
  readonly namespacePrefix: string;
}

export const markerFile = (stateDir: string): string => join(stateDir, ".netloom");

/** `undefined` when there is no marker: the directory is not ours. */
export async function readMarker(stateDir: string): Promise<Marker | undefined> {
  const text = await readFile(markerFile(stateDir), "utf8").catch((thrown: unknown) => {
    if (thrown instanceof Error && "code" in thrown && (thrown.code === "ENOENT" || thrown.code === "ENOTDIR"))
      return undefined;
    throw thrown;
  });
  return text === undefined ? undefined : parseMarker(stateDir, text);
}

function parseMarker(stateDir: string, text: string): Marker {
  try {
    const { version, host, namespacePrefix } = JSON.parse(text) as Partial<Record<keyof Marker, unknown>>;
    if (version === 1 && typeof host === "string" && typeof namespacePrefix === "string")
      return { version, host, namespacePrefix };
  } catch {
    // Told below: what is in it does not matter, only that it is not ours to guess.
  }
  throw new NetloomError("CONFLICT", `${markerFile(stateDir)} is unreadable or of another version of netloom`);
}
