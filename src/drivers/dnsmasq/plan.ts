// The least that brings a running dnsmasq from what it has to what it should have: pure.
import type { DesiredFiles } from "./desired-files.ts";

/** What a running dnsmasq has read: base files and the small files that came since. */
export interface LoadedFiles {
  readonly hostLines: ReadonlySet<string>;
  readonly dnsLines: ReadonlySet<string>;
  readonly optsText: string;
  /** Small files with host lines beside the base. */
  readonly deltaCount: number;
  /** Those of `dnsLines` that stand beside the base. */
  readonly addedDnsLines: readonly string[];
}

/** `fits`: it runs with the wanted arguments in the wanted namespace. `differs`: ours, but with others. */
export type ServerState = "none" | "fits" | "differs";

export type DnsmasqPlan =
  | { readonly action: "unchanged" }
  /** One small file each, read through inotify: no signal, no child. */
  | { readonly action: "add"; readonly hostLines: readonly string[]; readonly dnsLines: readonly string[] }
  /** New base files and SIGHUP: the only way to make dnsmasq forget a line. */
  | { readonly action: "reload"; readonly reason: string }
  | { readonly action: "start" | "restart"; readonly reason: string };

export const formatLines = (lines: Iterable<string>): string => [...lines].map((line) => `${line}\n`).join("");

const macOf = (hostLine: string): string => hostLine.slice(0, 17);

function missingFrom(lines: readonly string[], others: ReadonlySet<string>): readonly string[] {
  const missing: string[] = [];
  for (const line of lines) if (!others.has(line)) missing.push(line);
  return missing;
}

/** Small files are cheap to add and dear to read again (one open each at SIGHUP and start). */
function isFull(loaded: LoadedFiles): boolean {
  const limit = Math.max(256, loaded.dnsLines.size / 4);
  return loaded.deltaCount >= limit || loaded.addedDnsLines.length >= 2 * limit;
}

function hasMacOf(known: ReadonlySet<string>, added: readonly string[]): boolean {
  const macs = new Set(added.map(macOf));
  // Cutting every known line is the dearer way when only one port comes, which is the usual case.
  const isFew = macs.size <= 8;
  for (const line of known) {
    if (!isFew && macs.has(macOf(line))) return true;
    if (isFew) for (const mac of macs) if (line.startsWith(mac)) return true;
  }
  return false;
}

/** @param loaded undefined when it is not certain what the server has read */
export function planDnsmasq(desired: DesiredFiles, loaded: LoadedFiles | undefined, server: ServerState): DnsmasqPlan {
  if (server === "none") return { action: "start", reason: "not running" };
  if (server === "differs") return { action: "restart", reason: "arguments or namespace differ" };
  if (loaded === undefined) return { action: "reload", reason: "loaded files are unknown" };
  if (formatLines(desired.optsLines) !== loaded.optsText) return { action: "reload", reason: "options differ" };

  const hostLines = missingFrom(desired.hostLines, loaded.hostLines);
  const dnsLines = missingFrom(desired.dnsLines, loaded.dnsLines);
  const hasGone =
    desired.hostLines.length - hostLines.length < loaded.hostLines.size ||
    desired.dnsLines.length - dnsLines.length < loaded.dnsLines.size;
  if (hasGone) return { action: "reload", reason: "lines must go" };
  if (hostLines.length === 0 && dnsLines.length === 0) return { action: "unchanged" };
  if (isFull(loaded)) return { action: "reload", reason: "many small files" };

  // A second line of a MAC would stand behind the first in the order of reading, and order decides between them.
  if (hasMacOf(loaded.hostLines, hostLines)) return { action: "reload", reason: "lines of a known MAC are added" };
  return { action: "add", hostLines, dnsLines };
}
