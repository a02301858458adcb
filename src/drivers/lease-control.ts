// How a driver reaches the leases of a running DHCP server without a packet: over a message bus that outlives the agent.
import type { NetworkId } from "../model/ids.ts";

export interface LeaseControl {
  /**
   * Environment by which the server of a network finds the bus, and the name that it takes there; `undefined` where there is
   * no bus. Both stay the same from one start of the agent to the next, because a server is restarted when they change.
   */
  access(id: NetworkId): LeaseBusAccess | undefined;
  /**
   * Makes the server forget a lease at once, so that the address can go to another client.
   *
   * @returns true when it had one, false when it had none, `undefined` when the server cannot be reached this way
   */
  deleteLease(id: NetworkId, ipAddress: string): Promise<boolean | undefined>;
  /**
   * Makes the server take an IPv4 address for leased, without an end, so that it answers the client's renewals; it sets the right
   * end then. It must have room for one more lease.
   *
   * @returns false when the server cannot be reached this way
   */
  addLease?(id: NetworkId, lease: AddedLease): Promise<boolean>;
}

export interface AddedLease {
  readonly ipAddress: string;
  readonly macAddress: string;
}

export interface LeaseBusAccess {
  readonly busName: string;
  readonly environment: Readonly<Record<string, string>>;
}
