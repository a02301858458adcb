// Kernel settings of this process's own network namespace, and those that are the same everywhere.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { errorText, NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { isErrno } from "./atomic-file.ts";

function settingPath(name: string): string {
  if (!/^[a-z0-9_-]+(\/[A-Za-z0-9_.-]+)*$/.test(name) || name.includes("..")) {
    throw new NetloomError("INVALID", `not the name of a kernel setting: ${JSON.stringify(name)}`);
  }
  return `/proc/sys/${name}`;
}

/** @param name with slashes: `fs/inotify/max_user_instances`. `undefined` when this kernel has no such setting. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(settingPath(name), "utf8").trim();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

export function writeSysctl(name: string, value: string | number): void {
  writeFileSync(settingPath(name), `${value}\n`);
}

export function hasIpv6(): boolean {
  return existsSync(settingPath("net/ipv6/conf/all/disable_ipv6"));
}

const instancesSetting = "fs/inotify/max_user_instances";

// Enough for what fits on a host; an instance that nobody opens costs nothing.
const roomyInstances = 8192;

/**
 * Each dnsmasq takes one inotify instance of root's allowance; the usual 128 stop a host at about 125 networks. Raised
 * only when it gets tight, and where that is allowed; said in one line where it is not.
 */
export function ensureInotifyInstances(needed: number, log: Logger): void {
  const present = Number(readSysctl(instancesSetting) ?? needed);
  if (present >= needed) return;
  try {
    writeSysctl(instancesSetting, Math.max(needed, roomyInstances));
    log.info({ outcome: "raised", setting: instancesSetting, present, needed }, "inotify limit raised");
  } catch (error) {
    log.warn(
      { setting: instancesSetting, present, needed, err: errorText(error) },
      "inotify limit is low and cannot be raised: dnsmasq of more networks will not start",
    );
  }
}
