// Routers' sets and routes in memory. They outlive the driver, as a kernel does.
import type { AddressChanges, ApplyOutcome, FloatingAddress, FloatingIpDriver } from "../../src/drivers/floating-ip-driver.ts";
import type { RouterReady } from "../../src/drivers/l3-layout.ts";
import type { RouterId } from "../../src/model/ids.ts";

/** By router and epoch: what each address does there, as `fixed` or `fixed|forwardings`. */
export type FakeKernel = Map<string, Map<string, string>>;

const textOf = ({ fixedIp, forwardings }: FloatingAddress): string =>
  [fixedIp ?? "-", ...forwardings.map(({ internalIp, externalPorts }) => `${externalPorts?.first}>${internalIp}`)].join(" ");

export class FakeFloatingIpDriver implements FloatingIpDriver {
  readonly kernel: FakeKernel;
  readonly applied: { readonly routerId: RouterId; readonly addresses: readonly string[] }[] = [];
  readonly verified: RouterId[] = [];
  readonly announced: string[] = [];
  /** Thrown by the next applies, in order. */
  readonly failures: Error[] = [];
  /** Addresses that the kernel does not take, and why. */
  readonly refused = new Map<string, string>();
  /** Awaited in the middle of each apply. */
  gate: Promise<void> = Promise.resolve();
  running = 0;
  mostRunning = 0;
  readonly #wishes = new Map<RouterId, { epoch: string; wishes: Map<string, FloatingAddress> }>();

  constructor(kernel: FakeKernel = new Map()) {
    this.kernel = kernel;
  }

  async apply(place: RouterReady, changes: AddressChanges): Promise<ApplyOutcome> {
    this.applied.push({ routerId: place.routerId, addresses: [...changes.keys()].toSorted() });
    const { wishes } = this.#stateOf(place);
    for (const [address, wish] of changes) {
      if (wish === undefined) wishes.delete(address);
      else wishes.set(address, wish);
    }
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    await this.gate;
    this.running -= 1;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    return { ...this.#reach(place, wishes), foreignChanges: 0 };
  }

  async verify(place: RouterReady): Promise<ApplyOutcome> {
    this.verified.push(place.routerId);
    const { wishes } = this.#stateOf(place);
    const there = this.#at(place);
    const isWrong = ([address, wish]: [string, FloatingAddress]): boolean =>
      !this.refused.has(address) && there.get(address) !== textOf(wish);
    const foreignChanges =
      [...wishes].filter(isWrong).length + [...there.keys()].filter((address) => !wishes.has(address)).length;
    return { ...this.#reach(place, wishes), foreignChanges };
  }

  /** As a real one, silent on a backup. */
  async announce({ haState }: RouterReady, addresses: readonly string[]): Promise<void> {
    if (haState === undefined || haState === "primary") this.announced.push(...addresses);
  }

  forget(router: RouterId): void {
    this.#wishes.delete(router);
  }

  /** What the addresses of a router do, in its present life. */
  at(place: RouterReady): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#at(place)].toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  #stateOf({ routerId, epoch }: RouterReady): { readonly wishes: Map<string, FloatingAddress> } {
    const known = this.#wishes.get(routerId);
    const state = { epoch, wishes: known?.wishes ?? new Map() };
    this.#wishes.set(routerId, state);
    return state;
  }

  #at({ routerId, epoch }: RouterReady): Map<string, string> {
    const key = `${routerId} ${epoch}`;
    const there = this.kernel.get(key) ?? new Map<string, string>();
    this.kernel.set(key, there);
    return there;
  }

  #reach(place: RouterReady, wishes: ReadonlyMap<string, FloatingAddress>): Omit<ApplyOutcome, "foreignChanges"> {
    const there = this.#at(place);
    for (const address of there.keys()) if (!wishes.has(address)) there.delete(address);
    const added: string[] = [];
    const failed = new Map<string, string>();
    for (const [address, wish] of wishes) {
      const reason = this.refused.get(address);
      if (reason !== undefined) {
        failed.set(address, reason);
        there.delete(address);
        continue;
      }
      if (!there.has(address)) added.push(address);
      there.set(address, textOf(wish));
    }
    return { failed, added };
  }
}
