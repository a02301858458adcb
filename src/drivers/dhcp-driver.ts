// What the DHCP agent asks of whatever answers DHCP. The agent knows no more than this.
import type { NetworkId, PortId } from "../model/ids.ts";
import type { MetadataPlan } from "../model/metadata-plan.ts";
import type { NetworkView, Port } from "../model/network.ts";

/** What one network should be on this host. `dhcpPort` is this agent's own port: its addresses are the server's. */
export interface DesiredDhcp {
  readonly view: NetworkView;
  readonly dhcpPort: Port;
  readonly device: DhcpDevice;
  readonly metadata: MetadataPlan;
}

/** Where the device manager put the agent's port. */
export interface DhcpDevice {
  readonly namespace: string;
  readonly interfaceName: string;
}

/** `added`, `changed`: ports came; ports went or moved; both without disturbing the server. */
export type DhcpOutcome = "unchanged" | "added" | "changed" | "reloaded" | "started" | "restarted";

/**
 * Makes DHCP on this host match what is asked for.
 *
 * `apply` is idempotent: called twice with the same value it changes nothing the second time. It reaches the asked state or
 * throws; after a throw or a kill at any line, the next `apply` with any value repairs. A running server whose argument
 * vector still fits is adopted, never restarted. Calls for one network must not overlap; calls for different networks may.
 *
 * When single ports cannot be served (a value that has no place in the server's files), everything else is put in effect and
 * INVALID is thrown with `detail.portIds`, the ports left out, and `detail.outcome`, what was done for the others.
 */
export interface DhcpDriver {
  apply(desired: DesiredDhcp): Promise<DhcpOutcome>;
  /** Stops the server and removes its files; absent is success. The device is the device manager's. */
  remove(id: NetworkId): Promise<void>;
  /** What is here right now — running servers and left-over directories — found by looking, not by remembering. */
  list(): Promise<readonly NetworkId[]>;
  /**
   * Networks whose server has died since this process put it in order or found it so. Never one whose server is being stopped
   * or started by a call under way. A server that lives and hangs is ended, and named by one of the next calls. Cheap, for a
   * call each half second: no fork.
   */
  findDead(): Promise<readonly NetworkId[]>;
  /**
   * How long the next `apply` of this network should wait, in milliseconds, so that its server has time for clients; 0 when
   * it may come at once. What comes meanwhile belongs into that one `apply`. When the time is over ask again: while the server
   * is still at the last change, the answer is only a lower bound.
   */
  nextApplyDelayMs?(id: NetworkId): number;
  /** For metrics; looks at every server. */
  readFigures?(): Promise<DriverFigures>;
}

export interface DriverFigures {
  /** CPU that servers spent on changes since this process began. */
  readonly changeCpuMs: number;
  /** Packets lost for want of room, in the namespaces of all servers, since these began. */
  readonly droppedPackets: number;
}

export interface SetupOptions {
  /** Look at the kernel again even where this process believes to know. */
  readonly verify: boolean;
  /** Which metadata addresses the device carries beside the port's own. */
  readonly metadata: MetadataPlan;
}

/** The agent's port as a device inside the network's namespace, joined to the network's bridge. */
export interface DhcpDeviceManager {
  /**
   * Namespace, bridge, device, addresses and routes as asked; idempotent, and cheap (no fork) when this process already
   * made exactly this, unless `verify`.
   */
  setup(view: NetworkView, dhcpPort: Port, options: SetupOptions): Promise<DhcpDevice>;
  /** Removes namespace, device and, when no tap is left in it, the bridge. Absent is success. */
  destroy(network: NetworkId): Promise<void>;
  /** Whether something that was destroyed turned out not to go, and is to be destroyed again: `list` names it. Costs nothing. */
  hasUnremoved?(): boolean;
  /**
   * Networks whose namespace or device is not any more what this process made or found: somebody has removed it or taken it
   * apart. `setup` with `verify` repairs it, and until it was tried the network is not named again. Never one that is being
   * set up or destroyed. Cheap, for a call every few seconds: no fork.
   */
  findDamaged?(): readonly NetworkId[];
  /**
   * Removes what had to stay when its network was destroyed, because somebody else was in it, and can go now. Costs nothing
   * where there is no such thing.
   */
  tidy?(): Promise<void>;
  /** Networks that have a namespace or device of ours, by the marks in the state directory. */
  list(): Promise<readonly NetworkId[]>;
  getInterfaceName(port: PortId): string;
  getDeviceId(network: NetworkId): string;
}
