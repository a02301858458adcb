// One network of the cache: its parts, who owns which address, and the view that a reconcile gets.
//
// The database gives an address to one port at a time, but messages and answers may cross, so that two ports claim it here
// for a moment. Revisions of different ports cannot be compared; the claim that arrived last wins, and the other port is shown
// without that address until one of the two is updated or deleted.
import type { NetworkId, PortId } from "../model/ids.ts";
import type { Network, NetworkView, Port, Subnet } from "../model/network.ts";

interface Identified {
  readonly id: string;
}

// Ids are ASCII: comparing code units is right, and many times faster than localeCompare.
const byId = (left: Identified, right: Identified): number => (left.id < right.id ? -1 : 1);

export class NetworkEntry {
  readonly id: NetworkId;
  #network: Network | undefined;
  readonly #subnets = new Map<string, Subnet>();
  readonly #ports = new Map<string, Port>();
  readonly #ownerByIp = new Map<string, PortId>();
  /** Ports that claim an address and lost it, the latest last. Nearly always empty. */
  readonly #losersByIp = new Map<string, PortId[]>();
  /** The ports of the last view, and which of them have changed since. */
  #sortedPorts: readonly Port[] = [];
  readonly #changedPorts = new Set<string>();
  #view: NetworkView | undefined;

  constructor(id: NetworkId) {
    this.id = id;
  }

  get network(): Network | undefined {
    return this.#network;
  }

  get subnets(): ReadonlyMap<string, Subnet> {
    return this.#subnets;
  }

  get ports(): ReadonlyMap<string, Port> {
    return this.#ports;
  }

  get isEmpty(): boolean {
    return this.#network === undefined && this.#subnets.size === 0 && this.#ports.size === 0;
  }

  setNetwork(network: Network): void {
    this.#network = network;
    this.#view = undefined;
  }

  setSubnet(subnet: Subnet): void {
    this.#subnets.set(subnet.id, subnet);
    this.#view = undefined;
  }

  setPort(port: Port): void {
    const kept = new Set(port.fixedIps.map((fixedIp) => fixedIp.ipAddress));
    for (const { ipAddress } of this.#ports.get(port.id)?.fixedIps ?? []) {
      if (!kept.has(ipAddress)) this.#release(ipAddress, port.id);
    }
    for (const ipAddress of kept) this.#claim(ipAddress, port.id);
    this.#ports.set(port.id, port);
    this.#changePort(port.id);
  }

  removeSubnet(id: string): void {
    this.#subnets.delete(id);
    this.#view = undefined;
  }

  removePort(id: string): void {
    const port = this.#ports.get(id);
    if (port === undefined) return;
    for (const { ipAddress } of port.fixedIps) this.#release(ipAddress, port.id);
    this.#ports.delete(id);
    this.#changePort(id);
  }

  ownerOf(ipAddress: string): Port | undefined {
    const owner = this.#ownerByIp.get(ipAddress);
    return owner === undefined ? undefined : this.#ports.get(owner);
  }

  /** `undefined` while the network itself is not known. The same object until something changes. */
  view(): NetworkView | undefined {
    if (this.#network === undefined) return undefined;
    this.#view ??= {
      network: this.#network,
      subnets: [...this.#subnets.values()].sort(byId),
      ports: this.#mergeChangedPorts(),
    };
    return this.#view;
  }

  #changePort(id: string): void {
    this.#changedPorts.add(id);
    this.#view = undefined;
  }

  /** Linear in all ports, n log n only in the changed ones: a change of one port among thousands takes microseconds. */
  #mergeChangedPorts(): readonly Port[] {
    const changed = [...this.#changedPorts]
      .flatMap((id) => this.#ports.get(id) ?? [])
      .sort(byId)
      .values();
    const merged: Port[] = [];
    let next = changed.next();
    for (const port of this.#sortedPorts) {
      for (; !next.done && next.value.id < port.id; next = changed.next()) merged.push(this.#withOwnAddresses(next.value));
      if (!this.#changedPorts.has(port.id)) merged.push(port);
    }
    for (; !next.done; next = changed.next()) merged.push(this.#withOwnAddresses(next.value));
    this.#changedPorts.clear();
    this.#sortedPorts = merged;
    return merged;
  }

  #withOwnAddresses(port: Port): Port {
    const owned = port.fixedIps.filter(({ ipAddress }) => this.#ownerByIp.get(ipAddress) === port.id);
    return owned.length === port.fixedIps.length ? port : { ...port, fixedIps: owned };
  }

  #claim(ipAddress: string, id: PortId): void {
    const owner = this.#ownerByIp.get(ipAddress);
    if (owner === id) return;
    this.#ownerByIp.set(ipAddress, id);
    if (owner === undefined) return;
    const losers = (this.#losersByIp.get(ipAddress) ?? []).filter((loser) => loser !== id);
    this.#losersByIp.set(ipAddress, [...losers, owner]);
    this.#changePort(owner);
  }

  #release(ipAddress: string, id: PortId): void {
    const losers = (this.#losersByIp.get(ipAddress) ?? []).filter((loser) => loser !== id);
    if (this.#ownerByIp.get(ipAddress) === id) {
      const heir = losers.pop();
      if (heir === undefined) this.#ownerByIp.delete(ipAddress);
      else {
        this.#ownerByIp.set(ipAddress, heir);
        this.#changePort(heir);
      }
    }
    if (losers.length === 0) this.#losersByIp.delete(ipAddress);
    else this.#losersByIp.set(ipAddress, losers);
  }
}
