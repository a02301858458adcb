// A server that is not alone answers for the clients of the others too, once these are gone: dnsmasq answers no renewal of a
// lease that it does not know, so it is told of one for each port, as it would find in its file at a start.
import type { Clock } from "../../base/clock.ts";
import type { LeaseControl } from "../lease-control.ts";
import type { DesiredFiles } from "./desired-files.ts";
import { countServingHosts, unleased } from "./lease-seed.ts";
import type { NetworkFiles } from "./network-files.ts";
import type { NetworkId } from "../../model/ids.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";

export interface LeaseSharingDeps {
  readonly control: LeaseControl | undefined;
  readonly clock: Clock;
  /** See `DnsmasqOptions`: dnsmasq does not survive one lease more. */
  readonly leaseMax: number;
}

/** A client asks others than its own server only late in its lease's life. */
const everyMs = 20_000;
/** Each costs dnsmasq a write of its lease file that waits for the disk, in which it answers nobody. */
const mostAtOnce = 64;

export class LeaseSharing {
  readonly #deps: LeaseSharingDeps;
  readonly #sharedAtMs = new Map<NetworkId, number>();

  constructor(deps: LeaseSharingDeps) {
    this.#deps = deps;
  }

  forget(id: NetworkId): void {
    this.#sharedAtMs.delete(id);
  }

  /**
   * For a time in which nobody waits. Without a bus the server learns of them when it is started next.
   *
   * @returns leases that were added
   */
  async share({ desired, files, target }: ShareWork): Promise<number> {
    const { control, clock, leaseMax } = this.#deps;
    const { view } = desired;
    const { id } = view.network;
    if (control?.addLease === undefined || countServingHosts(view) < 2) return 0;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#sharedAtMs.get(id) ?? -Infinity) < everyMs) return 0;
    this.#sharedAtMs.set(id, nowMs);
    const leases = files.readLeases();
    const room = Math.max(0, Math.min(mostAtOnce, leaseMax - leases.length - mostAtOnce));
    let added = 0;
    for (const lease of unleased(target.hostLines, leases).slice(0, room)) {
      if (!(await control.addLease(id, lease))) return added;
      added += 1;
    }
    return added;
  }
}

interface ShareWork {
  readonly desired: DesiredDhcp;
  readonly files: NetworkFiles;
  readonly target: DesiredFiles;
}
