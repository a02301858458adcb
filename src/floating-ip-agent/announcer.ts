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
  /** Whether the router still serves the address from the same place. */
  readonly isServed: (place: RouterReady, address: string) => boolean;
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
  announce(place: RouterReady, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    void this.#send(place, addresses);
    for (const afterMs of this.#parts.repeatsMs ?? [1000, 3000]) {
      this.#parts.timers.after(afterMs, () => {
        const served = addresses.filter((address) => this.#parts.isServed(place, address));
        if (!this.#isClosed && served.length > 0) void this.#send(place, served);
      });
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #send(place: RouterReady, addresses: readonly string[]): Promise<void> {
    try {
      await this.#parts.driver.announce(place, addresses);
    } catch (thrown) {
      const routerId: RouterId = place.routerId;
      this.#parts.log.debug({ routerId, err: errorText(thrown) }, "announcement was not sent");
    }
  }
}
