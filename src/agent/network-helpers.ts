// The three things that can be done for a network — enable, refresh, disable — under the network's mutex, and the choice
// between them. The choice depends on what the cache says now, never on what happened.
import type { NetworkCache } from "../cache/network-cache.ts";
import { NetloomError } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import type { Logger } from "../base/logger.ts";
import type { DhcpDeviceManager, DhcpDriver, DhcpOutcome } from "../drivers/dhcp-driver.ts";
import type { NetworkId, SubnetId } from "../model/ids.ts";
import type { NetworkView, Port } from "../model/network.ts";
import type { DhcpPluginApi } from "./dhcp-plugin-api.ts";
import { findOwnPort, lackingSubnets, wantsDhcp, withoutDhcpOn } from "./own-port.ts";

/** What the driver did, or: stopped; nothing was here; a newer event decides; no address for our own port. */
export type ReconcileOutcome = DhcpOutcome | "disabled" | "absent" | "superseded" | "degraded";

export interface HelperParts {
  readonly cache: NetworkCache;
  readonly driver: DhcpDriver;
  readonly deviceManager: DhcpDeviceManager;
  readonly api: Pick<DhcpPluginApi, "claimDhcpPort" | "releaseDhcpPort">;
  /** DHCP for `view` is in effect. */
  readonly onServed: (view: NetworkView) => void;
  readonly log: Logger;
}

interface Refusal {
  /** The view for which there was no address: while it is the same object, asking again is useless. */
  readonly view: NetworkView;
  readonly subnets: readonly SubnetId[];
  readonly reason: string;
}

interface OwnPort {
  readonly view: NetworkView;
  readonly dhcpPort: Port;
}

export class NetworkHelpers {
  readonly #parts: HelperParts;
  readonly #mutex = new KeyedMutex<NetworkId>();
  /** Networks whose DHCP this process has put in order. */
  readonly #served = new Set<NetworkId>();
  /** Networks that have something on this host: found at the start or made since. */
  readonly #present = new Set<NetworkId>();
  readonly #refusals = new Map<NetworkId, Refusal>();

  constructor(parts: HelperParts) {
    this.#parts = parts;
  }

  get served(): ReadonlySet<NetworkId> {
    return this.#served;
  }

  /** Why a network is only partly served, if it is. */
  refusalOf(id: NetworkId): string | undefined {
    return this.#refusals.get(id)?.reason;
  }

  /** Looks what is on this host. Everything that it finds and that is not served must be reconciled. */
  async readInventory(): Promise<readonly NetworkId[]> {
    const found = new Set([...(await this.#parts.driver.list()), ...(await this.#parts.deviceManager.list())]);
    for (const id of found) this.#present.add(id);
    return [...found].filter((id) => !this.#served.has(id));
  }

  /** @param verify look at the kernel again even where this process believes to know. */
  async reconcile(id: NetworkId, verify: boolean): Promise<ReconcileOutcome> {
    return this.#mutex.run(id, async () => {
      const view = this.#parts.cache.view(id);
      if (view === undefined || !wantsDhcp(view)) return this.disableDhcpHelper(id, view);
      return this.#served.has(id) ? this.refreshDhcpHelper(view, verify) : this.enableDhcpHelper(view);
    });
  }

  /** DHCP for a network that this process has not served yet. What runs already and fits is adopted. */
  async enableDhcpHelper(view: NetworkView): Promise<ReconcileOutcome> {
    return this.refreshDhcpHelper(view, false);
  }

  /** DHCP as `view` says: port, device, server, in this order. */
  async refreshDhcpHelper(view: NetworkView, verify: boolean): Promise<ReconcileOutcome> {
    const { id } = view.network;
    const own = await this.#ensureOwnPort(view);
    if (own === undefined) return this.#refusals.has(id) ? "degraded" : "superseded";
    this.#present.add(id);
    const device = await this.#parts.deviceManager.setup(own.view, own.dhcpPort, { verify });
    const outcome = await this.#parts.driver.apply({ ...own, device });
    this.#served.add(id);
    this.#parts.onServed(own.view);
    return outcome;
  }

  /** @param view `undefined` when the network is gone or not ours any more; then the server has taken care of the port. */
  async disableDhcpHelper(id: NetworkId, view: NetworkView | undefined): Promise<ReconcileOutcome> {
    const { driver, deviceManager, api } = this.#parts;
    this.#refusals.delete(id);
    this.#served.delete(id);
    const wasPresent = this.#present.has(id);
    if (wasPresent) {
      await driver.remove(id);
      await deviceManager.destroy(id);
      this.#present.delete(id);
    }
    const ownPort = view === undefined ? undefined : findOwnPort(view, deviceManager.getDeviceId(id));
    if (ownPort !== undefined) await api.releaseDhcpPort(id);
    return wasPresent ? "disabled" : "absent";
  }

  /** Our port with an address on each DHCP subnet, claimed if necessary; `undefined` when there is nothing to serve with. */
  async #ensureOwnPort(view: NetworkView): Promise<OwnPort | undefined> {
    const { id } = view.network;
    const deviceId = this.#parts.deviceManager.getDeviceId(id);
    const present = findOwnPort(view, deviceId);
    const lacking = lackingSubnets(view, present);
    if (present !== undefined && lacking.length === 0) {
      this.#refusals.delete(id);
      return { view, dhcpPort: present };
    }
    if (this.#refusals.get(id)?.view !== view) {
      const claimed = await this.#claim(view);
      if (claimed !== undefined) return claimed.isNewer ? undefined : { view: claimed.view, dhcpPort: claimed.dhcpPort };
    }
    // No address to be had: other subnets of the network are served all the same.
    if (present === undefined || lackingSubnets(withoutDhcpOn(view, lacking), undefined).length === 0) return undefined;
    return { view: withoutDhcpOn(view, lacking), dhcpPort: present };
  }

  /** `undefined` when the server has no address for us. */
  async #claim(view: NetworkView): Promise<({ readonly isNewer: false } & OwnPort) | { readonly isNewer: true } | undefined> {
    const { cache, api, log } = this.#parts;
    const { id } = view.network;
    this.#refusals.delete(id);
    const subnetIds = lackingSubnets(view, undefined);
    try {
      const port = await api.claimDhcpPort({ networkId: id, subnetIds: [...subnetIds] });
      if (port === null) return { isNewer: true };
      cache.applyItem({ op: "upsert", kind: "port", id: port.id, networkId: id, revision: port.revision, body: port }, "reply");
    } catch (thrown) {
      if (!(thrown instanceof NetloomError) || thrown.code !== "CONFLICT") throw thrown;
      log.error({ networkId: id, err: thrown }, "no address for the dhcp port");
      this.#refusals.set(id, { view, subnets: subnetIds, reason: `no address: ${thrown.message}` });
      return undefined;
    }
    // What the cache says now counts: an event may have overtaken the answer.
    const current = cache.view(id);
    const dhcpPort = current === undefined ? undefined : findOwnPort(current, this.#parts.deviceManager.getDeviceId(id));
    if (current === undefined || dhcpPort === undefined || lackingSubnets(current, dhcpPort).length > 0)
      return { isNewer: true };
    return { isNewer: false, view: current, dhcpPort };
  }
}
