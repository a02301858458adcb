// Real DHCP clients inside a namespace. Their own scripts would rewrite the machine's resolv.conf; ours only writes down
// what the client was told and, where asked, puts the address on the device.
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endOf } from "./children.ts";

export type DhcpClientKind = "udhcpc" | "dhclient" | "dhclient6";

/** What the client was told. Absent: not told. */
export interface DhcpAnswer {
  readonly ipAddress: string;
  readonly prefixOrMask?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly leaseSeconds?: number | undefined;
  readonly mtuBytes?: number | undefined;
  readonly routers: readonly string[];
  readonly dnsServers: readonly string[];
  readonly domain?: string | undefined;
  readonly hostname?: string | undefined;
  /** Option 121 as the client prints it. */
  readonly staticRoutes?: string | undefined;
  /** Every variable that the client gave to its script. */
  readonly told: ReadonlyMap<string, string>;
}

export interface DhcpClientOptions {
  readonly kind?: DhcpClientKind;
  readonly limitMs?: number;
  /** Put the address on the device, as an instance would. */
  readonly isApplied?: boolean;
  /** More arguments. */
  readonly flags?: readonly string[];
  /** dhclient: more lines of its configuration. */
  readonly config?: string;
}

// One script for all clients: the event is $1 for udhcpc and $reason for dhclient.
const script = `#!/bin/sh
case "$1$reason" in
  bound|renew|BOUND|RENEW|REBIND|REBOOT|BOUND6|RENEW6) ;;
  *) [ "$reason" = PREINIT ] && ip link set dev "$interface" up; exit 0 ;;
esac
if [ -n "$NETLOOM_TEST_APPLY" ]; then
  if [ -n "$new_ip6_address" ]; then ip -6 addr replace "$new_ip6_address/\${new_ip6_prefixlen:-128}" dev "$interface" nodad
  else ip addr replace "\${ip:-$new_ip_address}/\${mask:-\${new_subnet_mask:-24}}" dev "$interface"; fi
fi
env > "$NETLOOM_TEST_ANSWER.part" && mv "$NETLOOM_TEST_ANSWER.part" "$NETLOOM_TEST_ANSWER"
`;

function argumentsOf(kind: DhcpClientKind, device: string, directory: string): readonly string[] {
  const path = (name: string): string => join(directory, name);
  if (kind === "udhcpc") {
    const asked = ["router", "dns", "domain", "mtu", "hostname", "staticroutes"].flatMap((name) => ["-O", name]);
    return ["udhcpc", "-i", device, "-f", "-q", "-n", "-t", "60", "-T", "1", "-s", path("script"), ...asked];
  }
  const files = ["-sf", path("script"), "-lf", path("leases"), "-pf", path("pid"), "-cf", path("config")];
  return ["dhclient", ...(kind === "dhclient6" ? ["-6"] : []), "-1", "-d", ...files, device];
}

// As often as udhcpc: left to itself dhclient repeats a packet that was lost only after some ten seconds.
const dhclientConfig = 'timeout 60;\ninitial-interval 1;\nbackoff-cutoff 1;\nsend host-name = "";\n';

/** An answer that is expected has this long; a good run never waits for it. */
const answerMs = 20_000;

/** dhclient wants the device last. */
function withFlags(argv: readonly string[], kind: DhcpClientKind, flags: readonly string[]): readonly string[] {
  return kind === "udhcpc" ? [...argv, ...flags] : [...argv.slice(0, -1), ...flags, ...argv.slice(-1)];
}

async function untilAnswered(child: ChildProcess, answerPath: string, limitMs: number): Promise<string | undefined> {
  const endsAt = performance.now() + limitMs;
  while (performance.now() < endsAt) {
    const text = await readFile(answerPath, "utf8").catch(() => undefined);
    if (text !== undefined) return text;
    if (child.exitCode !== null) return readFile(answerPath, "utf8").catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}

/** Runs a client until its first answer; `undefined` when nobody answered within the limit. The client is ended without a release. */
export async function runDhcpClient(
  namespace: string,
  device: string,
  options: DhcpClientOptions = {},
): Promise<DhcpAnswer | undefined> {
  const kind = options.kind ?? "udhcpc";
  const directory = await mkdtemp(join(tmpdir(), "netloom-dhcp-client-"));
  const answerPath = join(directory, "answer");
  await writeFile(join(directory, "script"), script);
  await chmod(join(directory, "script"), 0o755);
  await writeFile(join(directory, "config"), `${dhclientConfig}${options.config ?? ""}`);
  const apply = options.isApplied === true ? { NETLOOM_TEST_APPLY: "1" } : {};
  const marks = { NETLOOM_TEST_ANSWER: answerPath, ...apply };
  // dhclient hands its script nothing but what -e names.
  const argv = argumentsOf(kind, device, directory).flatMap((word, index) =>
    index === 0 && kind !== "udhcpc"
      ? [word, ...Object.entries(marks).flatMap(([key, value]) => ["-e", `${key}=${value}`])]
      : [word],
  );
  const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, ...withFlags(argv, kind, options.flags ?? [])], {
    stdio: "ignore",
    env: { PATH: process.env["PATH"], ...marks },
  });
  try {
    const text = await untilAnswered(child, answerPath, options.limitMs ?? answerMs);
    return text === undefined ? undefined : parseAnswer(text);
  } finally {
    await endOf(child, "SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }
}

export interface RunningClient {
  readonly answer: DhcpAnswer;
  /** Asks for a renewal, unicast as RFC 2131 wants it; `undefined` when nobody answered. */
  renew(limitMs?: number): Promise<DhcpAnswer | undefined>;
  close(): Promise<void>;
}

/**
 * A client that keeps running with the address on its device, as in an instance. dhclient cannot be told to renew: it does so
 * every two seconds, and `renew` waits for that.
 */
export async function startDhcpClient(
  namespace: string,
  device: string,
  kind: Exclude<DhcpClientKind, "dhclient6"> = "udhcpc",
): Promise<RunningClient> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-dhcp-client-"));
  const answerPath = join(directory, "answer");
  await writeFile(join(directory, "script"), script);
  await chmod(join(directory, "script"), 0o755);
  await writeFile(join(directory, "config"), `${dhclientConfig}supersede dhcp-renewal-time 2;\n`);
  const marks = { NETLOOM_TEST_ANSWER: answerPath, NETLOOM_TEST_APPLY: "1" };
  const [program = "", ...words] = argumentsOf(kind, device, directory).filter((word) => word !== "-q");
  const handed = kind === "udhcpc" ? [] : Object.entries(marks).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, program, ...handed, ...words], {
    stdio: "ignore",
    env: { PATH: process.env["PATH"], ...marks },
  });
  const close = async (): Promise<void> => {
    await endOf(child, "SIGKILL");
    await rm(directory, { recursive: true, force: true });
  };
  const first = await untilAnswered(child, answerPath, answerMs);
  if (first === undefined) {
    await close();
    throw new Error(`nobody answered ${kind} in ${namespace}`);
  }
  return {
    answer: parseAnswer(first),
    close,
    renew: async (limitMs = answerMs) => {
      await rm(answerPath, { force: true });
      if (kind === "udhcpc") child.kill("SIGUSR1");
      const text = await untilAnswered(child, answerPath, limitMs);
      return text === undefined ? undefined : parseAnswer(text);
    },
  };
}

function parseAnswer(text: string): DhcpAnswer {
  const values = new Map(
    text.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  /** The first of these variables that is set: udhcpc's name, then dhclient's. */
  const read = (...names: readonly string[]): string | undefined => names.map((name) => values.get(name)).find((one) => one);
  const words = (value: string | undefined): readonly string[] => value?.split(/\s+/).filter((one) => one !== "") ?? [];
  const number = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value));
  return {
    ipAddress: read("ip", "new_ip_address", "new_ip6_address") ?? "",
    prefixOrMask: read("subnet", "new_subnet_mask", "new_ip6_prefixlen"),
    serverAddress: read("serverid", "new_dhcp_server_identifier"),
    leaseSeconds: number(read("lease", "new_dhcp_lease_time", "new_max_life")),
    mtuBytes: number(read("mtu", "new_interface_mtu")),
    routers: words(read("router", "new_routers")),
    dnsServers: words(read("dns", "new_domain_name_servers", "new_dhcp6_name_servers")),
    domain: read("domain", "new_domain_name"),
    hostname: read("hostname", "new_host_name"),
    staticRoutes: read("staticroutes", "new_rfc3442_classless_static_routes"),
    told: values,
  };
}
