// The three things that can be done for a network — enable, refresh, disable — under the network's mutex, and the choice
// between them. The choice depends on what the cache says now, never on what happened.
import type { NetworkCache } from "../cache/network-cache.ts";
import { NetloomError } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import type { Logger } from "../base/logger.ts";
import type {
  DesiredDhcp,
  DhcpDevice,
  DhcpDeviceManager,
  DhcpDriver,
  DhcpOutcome,
  SetupOptions,
} from "../drivers/dhcp-driver.ts";
import type { MetadataMetrics } from "../metadata-proxy/metadata-proxy.ts";
import type { NetworkId, SubnetId } from "../model/ids.ts";
import { type MetadataPlan, noMetadata } from "../model/metadata-plan.ts";
import type { NetworkView, Port } from "../model/network.ts";
import type { ClaimPortReply } from "../types/agent-messages.ts";
import type { DhcpPluginApi } from "./dhcp-plugin-api.ts";
import { portsLeftOut } from "./left-out.ts";
import { dhcpSubnetIds, findOwnPort, hasNeedlessAddress, lackingSubnets, wantsDhcp, withoutDhcpOn } from "./own-port.ts";

/** What the driver did, or: stopped; nothing was here; a newer event decides; no address for our own port. */
export type ReconcileOutcome = DhcpOutcome | "disabled" | "absent" | "superseded" | "degraded";

/** DHCP for `view` is in effect, with exceptions. */
export interface ServedNetwork {
  readonly view: NetworkView;
  readonly unservedSubnets: readonly SubnetId[];
  readonly unservedPorts: readonly string[];
}

/** Instance metadata, for agents that serve them. */
export interface MetadataService {
  /** What the network should have; pure. */
  plan(view: NetworkView, dhcpPort: Port): MetadataPlan;
  /** After the device has its addresses; idempotent. */
  apply(desired: {
    readonly view: NetworkView;
    readonly dhcpPort: Port;
    readonly device: DhcpDevice;
    readonly plan: MetadataPlan;
  }): Promise<void>;
  /** Before the namespace goes; absent is success. */
  remove(id: NetworkId): Promise<void>;
  /** For metrics. */
  readFigures?(): MetadataMetrics;
}

export interface HelperParts {
  /** As in binding:host_id. */
  readonly host: string;
  readonly cache: NetworkCache;
  readonly driver: DhcpDriver;
  readonly deviceManager: DhcpDeviceManager;
  readonly api: Pick<DhcpPluginApi, "claimDhcpPort" | "releaseDhcpPort">;
  readonly metadata?: MetadataService | undefined;
  readonly onServed: (served: ServedNetwork) => void;
  readonly log: Logger;
}

interface Refusal {
  /** The view for which there was no address: while it is the same object, asking again is useless. */
  readonly view: NetworkView;
  readonly reason: string;
}

interface OwnPort {
  readonly view: NetworkView;
  readonly dhcpPort: Port;
  /** DHCP subnets on which there is no address for us. */
  readonly unserved: readonly SubnetId[];
}

export class NetworkHelpers {
  readonly #parts: HelperParts;
  readonly #mutex = new KeyedMutex<NetworkId>();
  /** Networks whose DHCP this process has put in order. */
  readonly #served = new Set<NetworkId>();
  /** Networks that have something on this host: found at the start or made since. */
  readonly #present = new Set<NetworkId>();
  readonly #refusals = new Map<NetworkId, Refusal>();
  /** Why the driver left ports out. */
  readonly #leftOut = new Map<NetworkId, string>();
  #hasInventory = false;

  constructor(parts: HelperParts) {
    this.#parts = parts;
  }

  get served(): ReadonlySet<NetworkId> {
    return this.#served;
  }

  /** Why a network is only partly served, if it is. */
  refusalOf(id: NetworkId): string | undefined {
    return this.#refusals.get(id)?.reason ?? this.#leftOut.get(id);
  }

  /** Networks that have something on this host, by looking. */
  async findPresent(): Promise<readonly NetworkId[]> {
    const found = new Set([...(await this.#parts.driver.list()), ...(await this.#parts.deviceManager.list())]);
    for (const id of found) this.#present.add(id);
    this.#hasInventory = true;
    return [...found];
  }

  /** Of them, those that should not be there. */
  async readInventory(): Promise<readonly NetworkId[]> {
    return (await this.findPresent()).filter((id) => {
      const view = this.#parts.cache.view(id);
      return view === undefined || !wantsDhcp(view);
    });
  }

  /** @param verify look at the kernel again even where this process believes to know. */
  async reconcile(id: NetworkId, verify: boolean): Promise<ReconcileOutcome> {
    return this.#mutex.run(id, async () => {
      const view = this.#parts.cache.view(id);
      if (view === undefined || !wantsDhcp(view)) return this.disableDhcpHelper(id, view);
      return this.#served.has(id) ? this.refreshDhcpHelper(view, verify) : this.enableDhcpHelper(view, verify);
    });
  }

  /** Nothing of it stays on this host, but its port remains ours. */
  async suspend(id: NetworkId): Promise<ReconcileOutcome> {
    return this.#mutex.run(id, () => this.disableDhcpHelper(id, undefined));
  }

  /** DHCP for a network that this process has not served yet. What runs already and fits is adopted. */
  async enableDhcpHelper(view: NetworkView, verify: boolean): Promise<ReconcileOutcome> {
    return this.refreshDhcpHelper(view, verify);
  }

  /** DHCP as `view` says: port, device, server, in this order. */
  async refreshDhcpHelper(view: NetworkView, verify: boolean): Promise<ReconcileOutcome> {
    const { id } = view.network;
    const own = await this.#ensureOwnPort(view);
    if (own === undefined) {
      if (!this.#refusals.has(id)) return "superseded";
      // What answers here does so from an address that is no longer ours.
      if (this.#present.has(id)) await this.#removeDhcp(id);
      return "degraded";
    }
    this.#present.add(id);
    const { dhcpPort, unserved } = own;
    const servedView = withoutDhcpOn(own.view, unserved);
    const metadata = this.#parts.metadata?.plan(servedView, dhcpPort) ?? noMetadata;
    const device = await this.#setUpDevice(view, { ...own, view: servedView }, { verify, metadata });
    const { outcome, refusedPorts } = await this.#apply({ view: servedView, dhcpPort, device, metadata });
    this.#served.add(id);
    this.#parts.onServed({ view: own.view, unservedSubnets: unserved, unservedPorts: refusedPorts });
    // Last: instances have their addresses also where metadata cannot be served at the moment.
    await this.#parts.metadata?.apply({ view: servedView, dhcpPort, device, plan: metadata });
    return outcome;
  }

  /** A port that was made just now and has no device goes with the attempt; one that was there keeps its address for the next. */
  async #setUpDevice(before: NetworkView, { view, dhcpPort }: OwnPort, options: SetupOptions): Promise<DhcpDevice> {
    const { deviceManager, api, log } = this.#parts;
    try {
      return await deviceManager.setup(view, dhcpPort, options);
    } catch (thrown) {
      const networkId = view.network.id;
      if (!before.ports.some(({ id }) => id === dhcpPort.id)) {
        await api.releaseDhcpPort(networkId).catch((err: unknown) => log.warn({ networkId, err }, "dhcp port not released"));
      }
      throw thrown;
    }
  }

  async #removeDhcp(id: NetworkId): Promise<void> {
    try {
      await this.#parts.metadata?.remove(id);
    } finally {
      // Whatever holds up the end of metadata: nobody is given addresses of a network that is not ours.
      await this.#parts.driver.remove(id);
    }
    await this.#parts.deviceManager.destroy(id);
    this.#served.delete(id);
    this.#present.delete(id);
  }

  /** A driver that had to leave ports out has served all others; trying again would not change that. */
  async #apply(desired: DesiredDhcp): Promise<{ readonly outcome: DhcpOutcome; readonly refusedPorts: readonly string[] }> {
    const { id } = desired.view.network;
    try {
      const outcome = await this.#parts.driver.apply(desired);
      this.#leftOut.delete(id);
      return { outcome, refusedPorts: [] };
    } catch (thrown) {
      const leftOut = portsLeftOut(thrown);
      if (leftOut === undefined) throw thrown;
      if (this.#leftOut.get(id) !== leftOut.reason)
        this.#parts.log.warn({ networkId: id, err: thrown }, "ports left out of dhcp");
      this.#leftOut.set(id, leftOut.reason);
      return leftOut;
    }
  }

  /** @param view `undefined` when the network is gone or not ours any more; then the server has taken care of the port. */
  async disableDhcpHelper(id: NetworkId, view: NetworkView | undefined): Promise<ReconcileOutcome> {
    const { api } = this.#parts;
    this.#refusals.delete(id);
    this.#leftOut.delete(id);
    this.#served.delete(id);
    if (!this.#hasInventory) await this.findPresent();
    const wasPresent = this.#present.has(id);
    if (wasPresent) await this.#removeDhcp(id);
    const ownPort = view === undefined ? undefined : this.#findOwnPort(view);
    if (ownPort !== undefined) await api.releaseDhcpPort(id);
    return wasPresent ? "disabled" : "absent";
  }

  /** Our port with an address on each DHCP subnet, claimed if necessary; `undefined` when there is nothing to serve with. */
  async #ensureOwnPort(view: NetworkView): Promise<OwnPort | undefined> {
    const { id } = view.network;
    const present = this.#findOwnPort(view);
    const lacking = lackingSubnets(view, present);
    if (present !== undefined && lacking.length === 0 && !hasNeedlessAddress(view, present)) {
      this.#refusals.delete(id);
      return { view, dhcpPort: present, unserved: [] };
    }
    const isRefused = this.#refusals.get(id)?.view === view || !(await this.#claim(view));
    return isRefused ? this.#portWithGaps(id) : this.#claimedPort(id);
  }

  /** Where there is no address to be had on some subnets: the others are served all the same. */
  #portWithGaps(id: NetworkId): OwnPort | undefined {
    const view = this.#parts.cache.view(id);
    if (view === undefined) return undefined;
    const dhcpPort = this.#findOwnPort(view);
    const unserved = lackingSubnets(view, dhcpPort);
    if (dhcpPort === undefined || !wantsDhcp(withoutDhcpOn(view, unserved))) return undefined;
    return { view, dhcpPort, unserved };
  }

  /** False when the server has no address for us on some subnet. */
  async #claim(view: NetworkView): Promise<boolean> {
    const { cache, log } = this.#parts;
    const { id } = view.network;
    this.#refusals.delete(id);
    try {
      const { port, fullSubnetIds } = await this.#ask(view);
      if (port !== null)
        cache.applyItem(
          { op: "upsert", kind: "port", id: port.id, networkId: id, revision: port.revision, body: port },
          "reply",
        );
      if (fullSubnetIds.length === 0) return true;
      this.#refuse(cache.view(id) ?? view, `no address is left on subnets ${fullSubnetIds.join(", ")}`);
    } catch (thrown) {
      if (!(thrown instanceof NetloomError) || thrown.code !== "CONFLICT") throw thrown;
      this.#refuse(view, `no address: ${thrown.message}`);
    }
    log.error({ networkId: id, reason: this.#refusals.get(id)?.reason }, "no address for the dhcp port");
    return false;
  }

  #refuse(view: NetworkView, reason: string): void {
    this.#refusals.set(view.network.id, { view, reason });
  }

  /** An answer without one of the subnets may have crossed with a change: once more, and then it is the server's mistake. */
  async #ask(view: NetworkView): Promise<ClaimPortReply> {
    const request = { networkId: view.network.id, subnetIds: [...dhcpSubnetIds(view)] };
    for (let attempt = 1; ; attempt += 1) {
      const reply = await this.#parts.api.claimDhcpPort(request);
      const lacking =
        reply.port === null ? [] : lackingSubnets(view, reply.port).filter((id) => !reply.fullSubnetIds.includes(id));
      if (lacking.length === 0) return reply;
      if (attempt < 2) continue;
      const reason = `the server gave our port no address on subnets ${lacking.join(", ")}`;
      throw new NetloomError("UNAVAILABLE", reason, { networkId: view.network.id });
    }
  }

  #findOwnPort(view: NetworkView): Port | undefined {
    const { deviceManager, host } = this.#parts;
    return findOwnPort(view, deviceManager.getDeviceId(view.network.id), host);
  }

  /** What the cache says after a claim, since an event may have overtaken the answer; `undefined` when a newer event will decide. */
  #claimedPort(id: NetworkId): OwnPort | undefined {
    const view = this.#parts.cache.view(id);
    if (view === undefined) return undefined;
    const dhcpPort = this.#findOwnPort(view);
    if (dhcpPort === undefined || lackingSubnets(view, dhcpPort).length > 0) return undefined;
    return { view, dhcpPort, unserved: [] };
  }
}
