// The least that brings a running dnsmasq from what it has to what it should have: pure.
import type { DesiredFiles } from "./desired-files.ts";
import { type LoadedNames, type NameChange, planNames } from "./dns-buckets.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";
import { compareHosts, planHostDelta } from "./host-delta.ts";
import type { HostMemory } from "./host-memory.ts";

/** What a running dnsmasq has read: base files and the small files that came since. */
export interface LoadedFiles extends LoadedNames {
  readonly hosts: HostMemory;
  readonly optsText: string;
}

/** `fits`: it runs with the wanted arguments in the wanted namespace. `differs`: ours, but with others. */
export type ServerState = "none" | "fits" | "differs";

export type DnsmasqPlan =
  | { readonly action: "unchanged" }
  /** Small files, read through inotify: no signal, no child. */
  | {
      readonly action: "change";
      readonly hostLines: readonly string[];
      readonly names: NameChange | null;
      readonly freed: readonly string[];
    }
  /** New base files and SIGHUP: the only way to make dnsmasq forget a line. `freed` is undefined when nobody knows. */
  | { readonly action: "reload"; readonly reason: string; readonly freed: readonly string[] | undefined }
  | { readonly action: "start" | "restart"; readonly reason: string };

export interface PlanContext {
  /** Nothing has happened for long enough that nobody minds a reload. */
  readonly isIdle?: boolean;
  readonly features?: Pick<DnsmasqFeatures, "hasDeltaDirectory" | "hasLiveDnsDirectory" | "isReloadSafe">;
  /** What is known of the server's memory where `loaded` is not, see `HostMemory.isTagged`. */
  readonly isTagged?: boolean;
}

export const formatLines = (lines: Iterable<string>): string => [...lines].map((line) => `${line}\n`).join("");

/** How many lines may stand beside the base: they are dear to read again one by one, and base lines they hide cost memory. */
export const deltaLimit = (baseCount: number): number => Math.max(64, baseCount / 10);

/** @param loaded undefined when it is not certain what the server has read */
export function planDnsmasq(
  desired: DesiredFiles,
  loaded: LoadedFiles | undefined,
  server: ServerState,
  context: PlanContext = {},
): DnsmasqPlan {
  if (server === "none") return { action: "start", reason: "not running" };
  if (server === "differs") return { action: "restart", reason: "arguments or namespace differ" };
  const plan: DnsmasqPlan =
    loaded === undefined
      ? { action: "reload", reason: "loaded files are unknown", freed: undefined }
      : planChange(desired, loaded, context);
  if (plan.action !== "reload") return plan;
  const isTagged = loaded?.hosts.isTagged ?? context.isTagged ?? false;
  const isSafe = (context.features?.isReloadSafe ?? true) && !isTagged;
  return isSafe ? plan : { action: "restart", reason: `${plan.reason}, and a signal could end it` };
}

function planChange(desired: DesiredFiles, loaded: LoadedFiles, context: PlanContext): DnsmasqPlan {
  const { hosts } = loaded;
  const { hasDeltaDirectory, hasLiveDnsDirectory } = context.features ?? currentFeatures;
  const delta = planHostDelta(compareHosts(desired.hostLines, hosts), hosts);
  const { freed } = delta;
  const reload = (reason: string): DnsmasqPlan => ({ action: "reload", reason, freed });
  if (formatLines(desired.optsLines) !== loaded.optsText) return reload("options differ");
  if ("reason" in delta) return reload(delta.reason);
  const { lines } = delta;
  if (lines.length > 0 && !hasDeltaDirectory) return reload("this dnsmasq watches no directory");
  if (lines.length > 0 && hosts.deltaCount + lines.length > deltaLimit(hosts.baseCount)) return reload("many small changes");
  const names = planNames(desired.dnsLines, loaded, hasLiveDnsDirectory);
  if (names === undefined) return reload("names must go from the base");
  if (lines.length > 0 || names !== null) return { action: "change", hostLines: lines, names, freed };
  // Not worth a restart.
  const mayTidy = context.isIdle === true && !hosts.isTagged && (context.features?.isReloadSafe ?? true);
  return mayTidy && hosts.deltaCount > 0 ? reload("small changes while idle") : { action: "unchanged" };
}
