// Tells the neighbours where a floating IP is now: at once, and twice more, since nobody acknowledges an announcement.
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { FloatingIpDriver } from "../drivers/floating-ip-driver.ts";
import type { RouterReady } from "../drivers/l3-layout.ts";
import type { RouterId } from "../model/ids.ts";
import type { Timers } from "../runtime/timers.ts";

export interface AnnouncerParts {
  readonly driver: Pick<FloatingIpDriver, "announce">;
  readonly timers: Timers;
  readonly log: Logger;
  /** Where the router is now: of one of high availability another host may be the primary by then. */
  readonly findPlace: (router: RouterId) => RouterReady | undefined;
  /** Whether the router still serves the address. */
  readonly isServed: (router: RouterId, address: string) => boolean;
  /** From the first announcement, ms. */
  readonly repeatsMs?: readonly number[] | undefined;
}

export class Announcer {
  readonly #parts: AnnouncerParts;
  #isClosed = false;

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
  }

  /** Never rejects, and nobody has to wait for it. */
  announce({ routerId, epoch }: RouterReady, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    void this.#send(routerId, epoch, addresses);
    for (const afterMs of this.#parts.repeatsMs ?? [1000, 3000]) {
      this.#parts.timers.after(afterMs, () => {
        const served = addresses.filter((address) => this.#parts.isServed(routerId, address));
        if (!this.#isClosed && served.length > 0) void this.#send(routerId, epoch, served);
      });
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  /** What is made anew has its own announcements. */
  async #send(routerId: RouterId, epoch: string, addresses: readonly string[]): Promise<void> {
    const place = this.#parts.findPlace(routerId);
    if (place?.epoch !== epoch) return;
    try {
      await this.#parts.driver.announce(place, addresses);
    } catch (thrown) {
      this.#parts.log.debug({ routerId, err: errorText(thrown) }, "announcement was not sent");
    }
  }
}
