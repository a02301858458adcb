// What the installed dnsmasq can do, by what it says of itself. Pure but for the one command that asks.
import { type CommandRunner, commandFailed } from "../../linux/command-runner.ts";

export interface DnsmasqFeatures {
  /** As dnsmasq says it, "2.90"; "unknown" when it does not. */
  readonly version: string;
  /** `--dhcp-hostsdir`: files that are read when they come. Without it a new port needs a reload. */
  readonly hasDeltaDirectory: boolean;
  /** `tag:` in host lines, and several IPv6 addresses in one. */
  readonly hasHostTags: boolean;
  /** `--hostsdir` forgets what leaves it. Without it DNS names are only in `--addn-hosts`, and change by a reload. */
  readonly hasLiveDnsDirectory: boolean;
  /** SIGHUP may be sent while files have tags in them. Without it a reload is a restart. */
  readonly isReloadSafe: boolean;
  /** Leases can be told and deleted over D-Bus. Without it there is only the script. */
  readonly hasDbus: boolean;
  readonly hasDhcpv6: boolean;
  /** Sentences for the log, once per start of the agent. */
  readonly warnings: readonly string[];
}

export const currentFeatures: DnsmasqFeatures = {
  version: "2.90",
  hasDeltaDirectory: true,
  hasHostTags: true,
  hasLiveDnsDirectory: true,
  isReloadSafe: true,
  hasDbus: true,
  hasDhcpv6: true,
  warnings: [],
};

type Version = readonly [major: number, minor: number];

const isBefore = ([major, minor]: Version, [otherMajor, otherMinor]: Version): boolean =>
  major < otherMajor || (major === otherMajor && minor < otherMinor);

/** @param text what `dnsmasq --version` printed */
export function parseFeatures(text: string): DnsmasqFeatures {
  const [, major, minor] = /^Dnsmasq version v?(\d+)\.(\d+)/im.exec(text) ?? [];
  const version: Version | undefined = major === undefined ? undefined : [Number(major), Number(minor)];
  const compiled = new Set((/^Compile time options:(.*)$/im.exec(text)?.[1] ?? "").trim().split(/\s+/));
  // A build without a number was made by hand, and hardly from an old source.
  const isSince = (...wanted: Version): boolean => version === undefined || !isBefore(version, wanted);
  const isReloadSafe = version === undefined || version[0] !== 2 || version[1] !== 86;
  const hasDeltaDirectory = isSince(2, 73) && !compiled.has("no-inotify");
  const warnings = [
    ...(version === undefined ? ["dnsmasq does not say which version it is: it is taken for a current one"] : []),
    ...(isReloadSafe ? [] : ["dnsmasq 2.86 dies when it is told to reload: every change of a line restarts it"]),
    ...(hasDeltaDirectory ? [] : ["dnsmasq cannot watch a directory: every new port is a reload"]),
    ...(compiled.has("no-DHCPv6") ? ["dnsmasq was built without DHCPv6: no IPv6 subnet is served"] : []),
  ];
  return {
    version: version === undefined ? "unknown" : version.join("."),
    hasDeltaDirectory,
    hasHostTags: isSince(2, 81),
    hasLiveDnsDirectory: isSince(2, 88) && !compiled.has("no-inotify"),
    isReloadSafe,
    hasDbus: compiled.has("DBus"),
    hasDhcpv6: !compiled.has("no-DHCPv6") && !compiled.has("no-IPv6"),
    warnings,
  };
}

export async function readFeatures(runner: CommandRunner): Promise<DnsmasqFeatures> {
  const argv = ["dnsmasq", "--version"];
  const result = await runner.run(argv);
  if (result.exitCode !== 0) throw commandFailed(argv, result);
  return parseFeatures(result.stdout);
}
