// What the device manager asks of the switch on this host. A driver knows the host's side only: addresses, routes and
// settings inside the namespace are the device manager's, and the same for every driver.
import type { NetworkId, PortId } from "../model/ids.ts";

/** The agent's port as a pair of devices: `tap` on the host, `device` in the namespace. */
export interface InterfacePort {
  readonly networkId: NetworkId;
  readonly portId: PortId;
  readonly namespace: string;
  /** From `bridgeOf`. */
  readonly bridge: string;
  readonly tap: string;
  readonly device: string;
  readonly macAddress: string;
  /** 0: the kernel's default. */
  readonly mtuBytes: number;
  /**
   * Names that taps of the network's other ports would have on this host. Those that are there and in no switch are taken in
   * when the port itself has to join: the switch may have been removed under all of them.
   */
  readonly otherTaps?: readonly string[] | undefined;
}

/** What is to be removed of a network: from a mark, so also what a killed agent left half made. */
export interface PluggedTaps {
  readonly bridge: string;
  readonly taps: readonly string[];
  /** Their namespace is gone, so the kernel takes them down by itself, within some 100 ms. */
  readonly areVanishing?: boolean | undefined;
  /** The bridge is not ours, also when nobody is left in it. */
  readonly keepsBridge?: boolean | undefined;
}

/** Which driver, and what it must know; kept with what it made, so that anybody can remove that later. */
export type InterfaceDriverSettings =
  | { readonly kind: "bridge" }
  | { readonly kind: "openvswitch"; readonly bridge: string; readonly database: string };

/**
 * Every call is idempotent, either reaches what it says or throws, and after a throw or a kill at any line the next call
 * repairs. Calls for one network must not overlap; calls for different networks may, and may share children.
 */
export interface InterfaceDriver {
  readonly settings: InterfaceDriverSettings;
  /** Name of the switch that the network's taps join on this host. */
  bridgeOf(network: NetworkId): string;
  /**
   * Makes the namespace when it is missing, and the pair new: the host's end joined and up, the other down in the namespace
   * with MAC and MTU. What had these names before is removed.
   */
  plug(port: InterfacePort): Promise<void>;
  /** Host's end: joined to the right switch, up, with this MTU? Changes nothing. */
  look(port: InterfacePort): Promise<"absent" | "differs" | "fits">;
  /**
   * Whether the host's end of a port that was plugged is still there and joined, as far as a look without a child can tell.
   * For all ports every few seconds: some 10 µs.
   */
  isPlugged(port: Pick<InterfacePort, "tap" | "bridge">): boolean;
  /** Makes the host's end of a pair that is there "fit". */
  update(port: InterfacePort): Promise<void>;
  /** Removes taps and what the switch knows of them; a switch that was made for the network goes with its last member. */
  unplug(plugged: PluggedTaps): Promise<void>;
}
