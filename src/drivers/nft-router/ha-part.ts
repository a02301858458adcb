// What a router of high availability needs beside its namespace: who is the primary, and that it is decided.
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../../base/errors.ts";
import { isNamespace } from "../../linux/netns.ts";
import type { RouterId } from "../../model/ids.ts";
import type { Router } from "../../model/router.ts";
import type { RouterHaDriver } from "../router-ha.ts";
import { specInState } from "./ha-spec.ts";
import type { RouterSpec } from "./router-spec.ts";

/** From the addresses to the word in the file, on a busy machine. */
const takeOverMs = 300;

export class HaPart {
  readonly #driver: RouterHaDriver | undefined;
  readonly #hasIpv6: boolean;
  /** Not counted yet. */
  readonly #revived = new Set<RouterId>();

  constructor(driver: RouterHaDriver | undefined, { hasIpv6 }: { readonly hasIpv6: boolean }) {
    this.#driver = driver;
    this.#hasIpv6 = hasIpv6;
  }

  /**
   * The spec as the router's state on this host has it. Of one that nobody decides for, the backup's: whoever starts again begins
   * there.
   *
   * @throws NetloomError INVALID when this host cannot have such a router
   */
  async specOf(spec: RouterSpec, router: Router): Promise<RouterSpec> {
    if (!router.isHa) return spec;
    const { ha } = router;
    if (ha === null) throw new NetloomError("INVALID", "this host has no port on the HA network of the router");
    const driver = this.#driver;
    if (driver === undefined) throw new NetloomError("INVALID", "no high availability: keepalived is not installed");
    // Before anything is compared: nobody has taken over only because the process that would know was killed.
    const found = isNamespace(spec.namespace) ? await driver.revive(router.id, spec.namespace) : "absent";
    if (found === "started") this.#revived.add(router.id);
    // No second look: one that is killed in between is started again by the next.
    const state = found === "absent" ? "unknown" : await driver.stateOf(router.id);
    return specInState(spec, { router, ha, state, hasIpv6: this.#hasIpv6 });
  }

  /** Whether the router was of the other kind when it was made: nothing of that fits. */
  async isOtherKind(router: Router, known: RouterSpec | undefined): Promise<boolean> {
    if (known !== undefined) return (known.ha !== undefined) !== router.isHa;
    return (await this.#driver?.has(router.id)) !== router.isHa && this.#driver !== undefined;
  }

  /** @returns whether anything had to be done */
  async ensure({ ha, routerId }: RouterSpec, isRemade: boolean): Promise<boolean> {
    if (ha === undefined) return false;
    const hasChanged = (await this.#driver?.ensure(ha.plan, { isRemade })) === true;
    return this.#revived.delete(routerId) || hasChanged;
  }

  async isRunning({ ha, routerId, namespace }: RouterSpec): Promise<boolean> {
    return ha === undefined || (await this.#driver?.isRunning(routerId, namespace)) === true;
  }

  /** Whether the state is still the same when a take-over that may be under way has been written down. */
  async isLasting({ ha, routerId }: RouterSpec): Promise<boolean> {
    await delay(takeOverMs);
    return ha === undefined || ha.state === "unknown" || (await this.#driver?.stateOf(routerId)) === ha.state;
  }

  async remove(id: RouterId): Promise<void> {
    this.#revived.delete(id);
    await this.#driver?.remove(id);
  }
}
