// Floating IPs as elements of nftables sets and as local routes: a change is one line to an nft that runs already and one message
// to the kernel, whatever the number of floating IPs. What the kernel has is kept in memory, and read again after every surprise.
import { errorText, NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { arpAnnouncement } from "../../linux/arp.ts";
import { type NamespaceOperation, type NamespaceRunner, netlink } from "../../linux/namespace-worker.ts";
import { parseLinks } from "../../linux/netlink-answer.ts";
import { getLink } from "../../linux/netlink.ts";
import { deleteLocalRoute, listAllRoutes, parseLocalRoutes, replaceLocalRoute } from "../../linux/netlink-local-route.ts";
import { namespaceInode } from "../../linux/netns.ts";
import type { NftRunner } from "../../linux/nft-shell-pool.ts";
import type { RouterId } from "../../model/ids.ts";
import type { AddressChanges, ApplyOutcome, FloatingIpDriver } from "../floating-ip-driver.ts";
import type { RouterReady } from "../l3-layout.ts";
import { type ElementChange, formatLine, listLine, parseTable } from "./nft-lines.ts";
import { type Differences, RouterElements, type RouteChanges } from "./router-elements.ts";

export interface NftFloatingIpParts {
  readonly nft: NftRunner;
  readonly worker: NamespaceRunner;
  readonly log: Logger;
}

interface RouterState {
  readonly epoch: string;
  readonly elements: RouterElements;
  /** Addresses that got their route and were not told of yet. */
  readonly added: Set<string>;
  /** Whether `elements` knows what the kernel has. */
  isKnown: boolean;
}

/** Which differences between what is known and what is there were not made by this driver. */
type Counted = "everything" | "elements" | "nothing";

const mostChangesOfLine = 10_000;
/** A new floating IP's route waits for the job that runs: 1.5 ms for so many, 9 ms for a thousand. */
const mostFramesOfJob = 100;
/**
 * How long nft may take for a line about so many elements. With one limit for all, a router with many of them would never be
 * looked at on a busy machine: each attempt ends a moment before its answer.
 */
const lineLimitMs = (elements: number): number => 5_000 + elements;

export class NftFloatingIpDriver implements FloatingIpDriver {
  readonly #parts: NftFloatingIpParts;
  readonly #routers = new Map<RouterId, RouterState>();

  constructor(parts: NftFloatingIpParts) {
    this.#parts = parts;
  }

  async apply(place: RouterReady, changes: AddressChanges): Promise<ApplyOutcome> {
    const state = this.#stateOf(place);
    for (const [address, wish] of changes) state.elements.setWish(address, wish);
    if (state.isKnown) {
      try {
        return await this.#reach(place, state, 0);
      } catch (thrown) {
        state.isKnown = false;
        this.#parts.log.warn({ routerId: place.routerId, err: errorText(thrown) }, "floating IPs are looked at again");
        // Of a line that failed nothing was applied: what differs now was done by somebody else.
        const isUnchanged = thrown instanceof NetloomError && thrown.code === "COMMAND_FAILED";
        return this.#reachOneByOne(place, state, isUnchanged ? "elements" : "nothing");
      }
    }
    return this.#reachOneByOne(place, state, "nothing");
  }

  async verify(place: RouterReady): Promise<ApplyOutcome> {
    const state = this.#stateOf(place);
    return this.#reachOneByOne(place, state, state.isKnown ? "everything" : "nothing");
  }

  async announce(place: RouterReady, addresses: readonly string[]): Promise<void> {
    const { namespace, gatewayDevice: device, gatewayMac } = place;
    // Of a router of high availability the backup stays silent; the hook of a take-over announces what is there then.
    const isSilent = place.haState !== undefined && place.haState !== "primary";
    if (device === null || gatewayMac === null || isSilent) return;
    for (let at = 0; at < addresses.length; at += mostFramesOfJob) {
      const some = addresses.slice(at, at + mostFramesOfJob);
      const frames = some.map((address) => arpAnnouncement(gatewayMac, address));
      await this.#parts.worker.run(namespace, [{ kind: "frames", device, frames }]);
    }
  }

  forget(router: RouterId): void {
    this.#routers.delete(router);
  }

  /** With another epoch the wishes stay and the knowledge goes. */
  #stateOf({ routerId, epoch }: RouterReady): RouterState {
    const known = this.#routers.get(routerId);
    if (known?.epoch === epoch) return known;
    const state = { epoch, elements: known?.elements ?? new RouterElements(), added: new Set<string>(), isKnown: false };
    this.#routers.set(routerId, state);
    return state;
  }

  /** Looks first; when all at once fails, each address by itself, so that one that is impossible harms no other. */
  async #reachOneByOne(place: RouterReady, state: RouterState, counted: Counted): Promise<ApplyOutcome> {
    const { elements, routes } = await this.#look(place, state);
    const foreignChanges = (counted === "nothing" ? 0 : elements) + (counted === "everything" ? routes : 0);
    try {
      return await this.#reach(place, state, foreignChanges);
    } catch (thrown) {
      if (!(thrown instanceof NetloomError) || thrown.code !== "COMMAND_FAILED") {
        state.isKnown = false;
        throw thrown;
      }
    }
    await this.#look(place, state);
    return this.#reachEach(place, state, foreignChanges);
  }

  async #look(place: RouterReady, state: RouterState): Promise<Differences> {
    state.isKnown = false;
    const { namespace, gatewayDevice } = place;
    if (namespaceInode(namespace) !== place.namespaceInode) {
      throw new NetloomError("NOT_FOUND", `namespace ${namespace} is not the one that was ready`);
    }
    const lookups = [netlink(listAllRoutes()), ...(gatewayDevice === null ? [] : [netlink(getLink(gatewayDevice))])];
    const [json, [routes, link]] = await Promise.all([
      this.#parts.nft.run(namespace, listLine, { timeoutMs: lineLimitMs(state.elements.size) }),
      this.#parts.worker.run(namespace, lookups),
    ]);
    const gatewayIndex = link === undefined ? -1 : parseLinks(link)[0]?.index;
    const found = routes === undefined ? [] : parseLocalRoutes(routes);
    const local = found.filter(({ deviceIndex }) => deviceIndex === gatewayIndex).map(({ address }) => address);
    const differences = state.elements.load(parseTable(json), new Set(local));
    state.isKnown = true;
    return differences;
  }

  /** Everything that is left to do, together. */
  async #reach(place: RouterReady, state: RouterState, foreignChanges: number): Promise<ApplyOutcome> {
    const { elements } = state;
    const changes = elements.planElements();
    const { add, remove } = elements.planRoutes();
    const changing = [this.#changeElements(place, state, changes), this.#changeRoutes(place, state, { add: [], remove })];
    // Meanwhile: thousands of messages take a while.
    const adding = routeOperations(place, { add, remove: [] });
    // Both are waited for: what one of them does after the other has failed would not be known.
    for (const outcome of await Promise.allSettled(changing)) if (outcome.status === "rejected") throw outcome.reason;
    // Last: with the route alone the router would answer in the instance's place.
    await this.#changeRoutes(place, state, { add, remove: [] }, adding);
    elements.settle();
    return outcomeOf(state, elements.refusals, foreignChanges);
  }

  async #reachEach(place: RouterReady, state: RouterState, foreignChanges: number): Promise<ApplyOutcome> {
    const { elements } = state;
    const failed = new Map(elements.refusals);
    // What nobody asks for goes first: it may be in the way.
    const unwanted = elements.planElements().filter(({ to }) => to === undefined);
    await this.#changeElements(place, state, unwanted);
    const { remove, add } = elements.planRoutes();
    await this.#changeRoutes(place, state, { add: [], remove });
    for (const address of new Set([...elements.addressesIn(elements.planElements()), ...add])) {
      const reason = await this.#reachAddress(place, state, address);
      if (reason !== undefined) failed.set(address, reason);
    }
    return outcomeOf(state, failed, foreignChanges);
  }

  /** @returns why it failed */
  async #reachAddress(place: RouterReady, state: RouterState, address: string): Promise<string | undefined> {
    try {
      await this.#changeElements(place, state, state.elements.planElements(address));
      await this.#changeRoutes(place, state, state.elements.planRoutes(address));
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof NetloomError) || thrown.code !== "COMMAND_FAILED") throw thrown;
      // With the route alone the router would answer in the instance's place.
      await this.#changeRoutes(place, state, { add: [], remove: state.elements.hasRoute(address) ? [address] : [] });
      state.elements.touchRoute(address);
      return thrown.message;
    }
  }

  async #changeElements(
    { namespace }: RouterReady,
    { elements }: RouterState,
    changes: readonly ElementChange[],
  ): Promise<void> {
    for (let at = 0; at < changes.length; at += mostChangesOfLine) {
      const some = changes.slice(at, at + mostChangesOfLine);
      await this.#parts.nft.run(namespace, formatLine(some), { timeoutMs: lineLimitMs(some.length) });
      elements.commitElements(some);
    }
  }

  async #changeRoutes(
    place: RouterReady,
    state: RouterState,
    changes: RouteChanges,
    operations: readonly NamespaceOperation[] = routeOperations(place, changes),
  ): Promise<void> {
    if (operations.length === 0) return;
    await this.#parts.worker.run(place.namespace, operations);
    state.elements.commitRoutes(changes);
    for (const address of changes.add) state.added.add(address);
    for (const address of changes.remove) state.added.delete(address);
  }
}

function routeOperations({ gatewayDevice }: RouterReady, { add, remove }: RouteChanges): readonly NamespaceOperation[] {
  if (gatewayDevice === null) return [];
  return [
    ...remove.map((address) => netlink(deleteLocalRoute(gatewayDevice, address))),
    ...add.map((address) => netlink(replaceLocalRoute(gatewayDevice, address))),
  ];
}

function outcomeOf({ added }: RouterState, failed: ReadonlyMap<string, string>, foreignChanges: number): ApplyOutcome {
  const news = [...added].filter((address) => !failed.has(address));
  for (const address of news) added.delete(address);
  return { failed: new Map(failed), added: news, foreignChanges };
}
