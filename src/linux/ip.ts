// iproute2 in batches: one child for many changes, each line made of checked words.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { NetloomError } from "../base/errors.ts";
import { type CommandRunner, commandFailed } from "./command-runner.ts";
import { namespacePath } from "./netns.ts";

const word = /^[A-Za-z0-9_.:/@%-]+$/;

/** One line for `ip -batch`. A word that could end the line or start another command is refused. */
export function ipLine(...words: readonly (string | number)[]): string {
  for (const part of words) {
    if (!word.test(String(part))) {
      throw new NetloomError("INVALID", `not a word for ip: ${JSON.stringify(String(part).slice(0, 64))}`);
    }
  }
  return words.join(" ");
}

export interface BatchOptions {
  /** Inside this named namespace. */
  readonly namespace?: string;
  /** Go on after a line that fails; the failures are not an error. */
  readonly isLenient?: boolean;
}

/** Runs the lines in order, in one child, and stops at the first that fails unless lenient. No line, no child. */
export async function runIpBatch(runner: CommandRunner, lines: readonly string[], options: BatchOptions = {}): Promise<void> {
  if (lines.length === 0) return;
  if (options.namespace !== undefined) namespacePath(options.namespace);
  const where = options.namespace === undefined ? [] : ["-n", options.namespace];
  const argv = ["ip", ...where, ...(options.isLenient === true ? ["-force"] : []), "-batch", "-"];
  const result = await runner.run(argv, { stdin: `${lines.join("\n")}\n` });
  if (result.exitCode !== 0 && options.isLenient !== true) throw batchFailed(argv, lines, result);
}

export function batchFailed(
  argv: readonly string[],
  lines: readonly string[],
  result: { readonly exitCode: number; readonly stdout: string; readonly stderr: string },
): NetloomError {
  const lineNumber = Number(/Command failed -:(\d+)/.exec(result.stderr)?.[1] ?? 0);
  const failed = commandFailed(argv, result);
  const words = result.stderr.replace(/\s*Command failed -:\d+\s*/g, " ").trim();
  const line = lines[lineNumber - 1];
  if (line === undefined) return failed;
  return new NetloomError("COMMAND_FAILED", `"ip ${line}" failed: ${words}`, { ...failed.detail, line });
}

export interface DeviceAddress {
  /** Canonical text. */
  readonly address: string;
  readonly prefixLength: number;
  /** "link" for link-local addresses, "global" for what was assigned. */
  readonly scope: string;
  readonly isDynamic: boolean;
  /** Somebody else on the wire has it: the kernel does not use it. */
  readonly isDadFailed?: boolean | undefined;
}

export interface DeviceState {
  readonly name: string;
  readonly macAddress: string;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly addresses: readonly DeviceAddress[];
}

/** What `ip -j addr show` prints, as far as it is used. */
interface IpAddrJson {
  readonly ifname: string;
  readonly address?: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly addr_info?: readonly { local: string; prefixlen: number; scope: string; dynamic?: boolean }[];
}

export function parseDevices(json: string): readonly DeviceState[] {
  // The cast: iproute2's own output, not something from outside.
  const devices = JSON.parse(json === "" ? "[]" : json) as readonly IpAddrJson[];
  return devices.map((device) => ({
    name: device.ifname,
    macAddress: device.address ?? "",
    mtuBytes: device.mtu,
    isUp: device.flags.includes("UP"),
    addresses: (device.addr_info ?? []).map((info) => ({
      address: info.local,
      prefixLength: info.prefixlen,
      scope: info.scope,
      isDynamic: info.dynamic === true,
    })),
  }));
}

export interface RouteState {
  /** `0.0.0.0/0` and `::/0` for the default routes; a plain address for a host. */
  readonly destination: string;
  readonly gateway: string | undefined;
  readonly device: string;
  readonly isStatic: boolean;
}

/** What `ip -j -d route show` prints, as far as it is used. */
interface IpRouteJson {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
}

export function parseRoutes(json: string, ipVersion: 4 | 6): readonly RouteState[] {
  // The cast: iproute2's own output.
  const routes = JSON.parse(json === "" ? "[]" : json) as readonly IpRouteJson[];
  const everything = ipVersion === 4 ? "0.0.0.0/0" : "::/0";
  return routes.map((route) => ({
    destination: route.dst === "default" ? everything : route.dst,
    gateway: route.gateway,
    device: route.dev ?? "",
    isStatic: route.protocol === "static",
  }));
}

/**
 * Names of all devices in this process's own network namespace, without a child. /proc/self/net follows the process;
 * /sys/class/net would show the namespace in which /sys was mounted.
 */
export function readDeviceNames(): ReadonlySet<string> {
  const lines = readFileSync("/proc/self/net/dev", "utf8").split("\n").slice(2);
  return new Set(lines.map((line) => line.slice(0, line.indexOf(":")).trim()).filter((name) => name !== ""));
}

/** One device, as readDeviceNames sees it, at a price that does not grow with their number. */
export function hasDevice(name: string): boolean {
  return name !== "" && existsSync(`/proc/sys/net/ipv4/conf/${name}`);
}

/**
 * The device that this one is a member of, without a child, in some microseconds; null: of none, or there is no such device;
 * undefined: cannot be told, because /sys shows the devices of another network namespace than the one of this process.
 */
export function readMaster(name: string): string | null | undefined {
  const device = `/sys/class/net/${name}`;
  // Where there is none the link is missing, and an error that is thrown costs more than this look.
  if (existsSync(`${device}/master`)) {
    try {
      return basename(readlinkSync(`${device}/master`));
    } catch {
      // It left between the two looks.
      return null;
    }
  }
  return existsSync(device) || !hasDevice(name) ? null : undefined;
}

/** Whether a bridge has members, without a child; undefined: cannot be told, see `readMaster`. */
export function hasBridgeMembers(bridge: string): boolean | undefined {
  const members = `/sys/class/net/${bridge}/brif`;
  return existsSync(members) ? readdirSync(members).length > 0 : undefined;
}

/** Members of a bridge; none when there is no such bridge. */
export async function readBridgeMembers(runner: CommandRunner, bridge: string): Promise<readonly string[]> {
  const result = await runner.run(["ip", "-j", "link", "show", "master", bridge]);
  if (result.exitCode !== 0) return [];
  return parseDevices(result.stdout.trim()).map((device) => device.name);
}
