// The outside of the demo: a bridge in place of the segment that the host's uplink is in, and a namespace on it in place of the
// provider's router and everybody behind it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { addNamespace, removeNamespace } from "./instance.ts";

const runFile = promisify(execFile);
const ip = async (...argv: readonly string[]): Promise<unknown> => runFile("ip", [...argv]);

export interface Outside {
  readonly bridge: string;
  readonly namespace: string;
}

/** Of the provider's router; a range for documentation (RFC 5737). */
export const outsideAddress = "203.0.113.1";
export const outsideCidr = "203.0.113.0/24";

export async function addOutside({ bridge, namespace }: Outside): Promise<void> {
  await ip("link", "add", bridge, "type", "bridge");
  await ip("link", "set", bridge, "up");
  await addNamespace(namespace);
  const far = `${bridge.slice(0, 13)}-w`;
  await ip("link", "add", far, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  await ip("link", "set", far, "master", bridge, "up");
  await ip("-n", namespace, "addr", "add", `${outsideAddress}/24`, "dev", "eth0");
  await ip("-n", namespace, "link", "set", "eth0", "up");
}

/** Absent is fine. */
export async function removeOutside({ bridge, namespace }: Outside): Promise<void> {
  await removeNamespace(namespace);
  await ip("link", "del", bridge).catch(() => undefined);
}
