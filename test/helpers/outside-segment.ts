// The world outside of a host: an operator's bridge, and a namespace behind it that answers for the provider's router.
import { createNamespace, deleteNamespace, sh, waitForLink } from "./namespaces.ts";

export interface OutsideSegment {
  readonly bridge: string;
  /** Has 203.0.113.254/24 and 2001:db8:ffff::fe/64 on eth0. */
  readonly namespace: string;
  readonly address: string;
  remove(): Promise<void>;
}

/** @param prefix at most 12 characters: the bridge is named for it */
export async function openOutside(prefix: string): Promise<OutsideSegment> {
  const bridge = `${prefix}ext`;
  const namespace = `${prefix}outside`;
  const remove = async (): Promise<void> => {
    await deleteNamespace(namespace);
    await sh("ip", "link", "del", bridge).catch(() => "");
  };
  try {
    await sh("ip", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await sh("ip", "link", "set", bridge, "up");
    await createNamespace(namespace);
    await joinBridge(namespace, bridge);
    await sh("ip", "-n", namespace, "addr", "add", "203.0.113.254/24", "dev", "eth0");
    await sh("ip", "-n", namespace, "addr", "add", "2001:db8:ffff::fe/64", "dev", "eth0", "nodad");
  } catch (thrown) {
    await remove();
    throw thrown;
  }
  return { bridge, namespace, address: "203.0.113.254", remove };
}

/** eth0 in `namespace`, up, with its other end in `bridge`. */
export async function joinBridge(namespace: string, bridge: string): Promise<void> {
  const tap = `t${Math.random().toString(36).slice(2, 12)}`;
  await sh("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  await sh("ip", "link", "set", tap, "master", bridge, "up");
  await sh("ip", "-n", namespace, "link", "set", "lo", "up");
  await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
  await waitForLink(tap, namespace);
}
