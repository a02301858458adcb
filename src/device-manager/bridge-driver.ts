// A Linux bridge for each network, made with its first member and removed with its last.
import { withBridgeLock } from "../linux/bridge.ts";
import { hasDevice, ipLine, readMaster } from "../linux/ip.ts";
import { type NamespaceOperation, netlink } from "../linux/namespace-worker.ts";
import { type LinkState, parseLinks } from "../linux/netlink-answer.ts";
import { createBridge, enslaveLink, joinLink } from "../linux/netlink-pair.ts";
import { getLink, listLinks, setLink } from "../linux/netlink.ts";
import { bridgeName } from "../model/device-names.ts";
import type { NetworkId } from "../model/ids.ts";
import type { InterfaceDriver, InterfacePort, PluggedTaps } from "./interface-driver.ts";
import { type HostTools, removeTaps } from "./host-tools.ts";
import { createPairOperations, noAddressOperations } from "./veth-pair.ts";

export class BridgeDriver implements InterfaceDriver {
  readonly settings = { kind: "bridge" } as const;
  readonly #tools: HostTools;

  constructor(tools: HostTools) {
    this.#tools = tools;
  }

  bridgeOf(network: NetworkId): string {
    return bridgeName(network);
  }

  async plug(port: InterfacePort): Promise<void> {
    await this.#join(port, () => createPairOperations(port));
  }

  async #join(port: InterfacePort, operations: () => readonly NamespaceOperation[]): Promise<void> {
    await withBridgeLock(port.bridge, async () => {
      await this.#tools.worker.run(undefined, [...bridgeOperations(port.bridge), ...operations(), join(port)]);
      await this.#takeIn(port);
    });
  }

  /** Where our own tap has to join, the bridge may be new, and the taps that were in the one before are in none. */
  async #takeIn({ bridge, tap, otherTaps = [] }: InterfacePort): Promise<void> {
    for (const other of otherTaps.filter((one) => one !== tap && hasDevice(one))) {
      try {
        const [link] = await this.#readLinks(other);
        if (link?.master === 0) await this.#tools.worker.run(undefined, [netlink(enslaveLink(other, bridge))]);
      } catch (error) {
        // Instances come and go whenever they like.
        if (hasDevice(other)) throw error;
      }
    }
  }

  async look(port: InterfacePort): Promise<"absent" | "differs" | "fits"> {
    if (!hasDevice(port.tap)) return "absent";
    if (!hasDevice(port.bridge)) return "differs";
    const [tap, bridge] = await this.#readLinks(port.tap, port.bridge);
    if (tap === undefined) return "absent";
    const hasMtu = port.mtuBytes === 0 || tap.mtuBytes === port.mtuBytes;
    return tap.isUp && hasMtu && bridge?.isUp === true && tap.master === bridge.index ? "fits" : "differs";
  }

  async #readLinks(...names: readonly string[]): Promise<readonly (LinkState | undefined)[]> {
    const answers = await this.#tools.worker.run(undefined, names.map(getLink).map(netlink));
    return answers.map((answer) => parseLinks(answer)[0]);
  }

  async update(port: InterfacePort): Promise<void> {
    await this.#join(port, () => []);
  }

  isPlugged({ tap, bridge }: Pick<InterfacePort, "tap" | "bridge">): boolean {
    const master = readMaster(tap);
    return master === bridge || (master === undefined && hasDevice(bridge));
  }

  async unplug(plugged: PluggedTaps): Promise<void> {
    await removeTaps(this.#tools, plugged);
    const { bridge } = plugged;
    if (plugged.keepsBridge === true || !hasDevice(bridge)) return;
    await withBridgeLock(bridge, async () => {
      if (!hasDevice(bridge)) return;
      const [members] = await this.#tools.worker.run(undefined, [netlink(listLinks(bridge))]);
      if (members !== undefined && parseLinks(members).length > 0) return;
      await this.#tools.removals.run([ipLine("link", "del", bridge)]);
    });
  }
}

function bridgeOperations(bridge: string): readonly NamespaceOperation[] {
  const up = netlink(setLink(bridge, { isUp: true }));
  return hasDevice(bridge) ? [up] : [netlink(createBridge(bridge)), ...noAddressOperations(bridge, 0), up];
}

const join = ({ tap, mtuBytes, bridge }: InterfacePort): NamespaceOperation => netlink(joinLink(tap, { mtuBytes, bridge }));
