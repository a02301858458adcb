// A network's bridge on this host. The DHCP agent and `port plug` both make it when it is missing, and whoever takes the
// last tap out removes it; so making-and-joining and looking-and-removing must not overlap, across processes.
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../base/errors.ts";
import type { CommandRunner } from "./command-runner.ts";
import { ipLine, readBridgeMembers, readDeviceNames, runIpBatch } from "./ip.ts";
import { hasIpv6 } from "./sysctl.ts";

/** RFC 8200: a link with a smaller MTU carries no IPv6, and the kernel has none on such a device. */
const leastIpv6MtuBytes = 1280;

/** Whether the kernel has IPv6 on a device with this MTU; 0 for the kernel's default. */
export const carriesIpv6 = (mtuBytes: number): boolean => hasIpv6() && (mtuBytes === 0 || mtuBytes >= leastIpv6MtuBytes);

/**
 * No address of its own on a tenant's wire: not even a link-local one.
 *
 * @param mtuBytes of the device; 0 for the kernel's default
 */
export function noAddressLines(device: string, mtuBytes = 0): readonly string[] {
  return carriesIpv6(mtuBytes) ? [ipLine("link", "set", device, "addrgenmode", "none")] : [];
}

/** Without VLAN filtering, spanning tree and forwarding delay: a port that joins forwards at once. */
export function createBridgeLines(bridge: string): readonly string[] {
  return [
    ipLine("link", "add", bridge, "type", "bridge", "stp_state", 0, "forward_delay", 0),
    ...noAddressLines(bridge),
    ipLine("link", "set", bridge, "up"),
  ];
}

/** Call it under `withBridgeLock`. */
export async function deleteBridgeIfEmpty(runner: CommandRunner, bridge: string): Promise<void> {
  if (!readDeviceNames().has(bridge)) return;
  if ((await readBridgeMembers(runner, bridge)).length > 0) return;
  await runIpBatch(runner, [ipLine("link", "del", bridge)], { isLenient: true });
}

/**
 * An abstract socket is the lock: its name lives in the same network namespace as the bridge, and the kernel frees it when
 * the holder dies. Anybody on this host can take the name, so after the limit the work runs without the lock: that only
 * reopens a window of some milliseconds.
 */
export async function withBridgeLock<T>(bridge: string, work: () => Promise<T>, limitMs = 3000): Promise<T> {
  const release = await takeLock(`\0netloom-bridge-${bridge}`, limitMs);
  try {
    return await work();
  } finally {
    await release?.();
  }
}

async function takeLock(name: string, limitMs: number): Promise<(() => Promise<void>) | undefined> {
  const endsAt = performance.now() + limitMs;
  while (performance.now() < endsAt) {
    const release = await tryLock(name);
    if (release !== undefined) return release;
    await delay(5);
  }
  return undefined;
}

async function tryLock(name: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(name, () => {
      resolve(async () => new Promise((done) => server.close(() => done())));
    });
  });
}

const passing = /File exists|Cannot find device|No such device|does not exist|Device or resource busy/;

/**
 * Runs work that looks and then changes again, as long as it fails on something that passes by itself: the kernel takes
 * devices of a deleted namespace down only 100–150 ms later, and until then their names are taken.
 */
export async function retryWhilePassing<T>(work: () => Promise<T>, limitMs = 2000): Promise<T> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isPassing = error instanceof NetloomError && error.code === "COMMAND_FAILED" && passing.test(error.message);
      if (!isPassing || performance.now() > endsAt) throw error;
      await delay(25);
    }
  }
}
