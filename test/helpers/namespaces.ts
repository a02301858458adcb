// Network namespaces for tests: random names, and everything removed afterwards.
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitFor } from "./wait-for.ts";

const execute = promisify(execFile);

/** Real namespaces and devices need root; a test that cannot run says why and counts as skipped. */
export const skipWithoutRoot: string | false = process.getuid?.() === 0 ? false : "needs root: network namespaces";

/** Runs a tool; what it writes to standard error is in the error when it fails. */
export async function sh(tool: string, ...args: readonly string[]): Promise<string> {
  return (await execute(tool, args, { timeout: 20_000 })).stdout;
}

/** Six hex digits and a dash: short enough to stand before other names. */
export function randomPrefix(): string {
  return `t${randomBytes(3).toString("hex")}-`;
}

/** A random id whose first 11 characters, which device names are made of, are random too. */
export const randomId = (): string => randomUUID();

export function randomMac(): string {
  return `fa:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
}

export async function createNamespace(name: string): Promise<string> {
  await sh("ip", "netns", "add", name);
  return name;
}

export async function deleteNamespace(name: string): Promise<void> {
  await sh("ip", "netns", "del", name).catch(() => "");
}

/**
 * What was plugged carries packets: the kernel brings both ends of a pair into service some time after they were set up, and drops
 * what is sent before.
 *
 * @param tap here, in a bridge; the other end is the namespace's eth0
 */
export async function waitForLink(tap: string, namespace: string): Promise<void> {
  const forwarding = "3";
  const isUp = async (): Promise<boolean> =>
    (await readFile(`/sys/class/net/${tap}/brport/state`, "utf8")).trim() === forwarding &&
    / UP /.test(await sh("ip", "-n", namespace, "-br", "link", "show", "dev", "eth0"));
  await waitFor(isUp, { limitMs: 10_000, what: `${tap} to carry packets` });
}

/**
 * The link-local address of the namespace's eth0: it comes some time after the link is up, and nobody may speak from it before the
 * kernel has looked for duplicates.
 */
export async function waitForLinkLocal(namespace: string): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const text = await sh("ip", "-n", namespace, "-6", "addr", "show", "dev", "eth0", "scope", "link");
    return text.includes("tentative") ? undefined : /fe80::[0-9a-f:]+/.exec(text)?.[0];
  };
  return waitFor(find, { limitMs: 10_000, what: "the instance's link-local address" });
}

export interface TestDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

export async function createTestDirectory(): Promise<TestDirectory> {
  const path = await mkdtemp(join(tmpdir(), "netloom-test-"));
  return { path, remove: async () => rm(path, { recursive: true, force: true }) };
}

/** Names of devices in the namespace of this process. */
export async function deviceNames(): Promise<ReadonlySet<string>> {
  const links: readonly { ifname: string }[] = JSON.parse(await sh("ip", "-j", "link"));
  return new Set(links.map((link) => link.ifname));
}
