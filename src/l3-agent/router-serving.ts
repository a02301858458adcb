// One router on this host: made as it should be, with metadata for the instances behind it, or taken away; and what the server is
// told of it. Whether it is to be here is settled by whoever asks.
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { AppliedRouter, RouterDriver, RouterPlace } from "../drivers/router-driver.ts";
import type { RouterId } from "../model/ids.ts";
import type { Router } from "../model/router.ts";
import type { VerifyPlan } from "../runtime/verify-plan.ts";
import type { HaStates } from "./ha-states.ts";
import type { ReconcileOutcome } from "./router-journal.ts";
import { type RouterStatus, StatusMemory } from "./status-memory.ts";

/** Metadata for the instances behind routers. */
export interface RouterMetadata {
  /** Listens in the router's namespace from now on. Idempotent. */
  apply(router: Router, place: RouterPlace): Promise<void>;
  /** Absent is success. Before the namespace goes: a listener would keep it alive. */
  remove(id: RouterId): Promise<void>;
}

export interface RouterServingParts {
  readonly driver: RouterDriver;
  readonly metadata?: RouterMetadata | undefined;
  /** Of routers of high availability. */
  readonly haStates?: Pick<HaStates, "served" | "forget" | "forgetAll" | "isKnown" | "isPrimary"> | undefined;
  readonly report: (status: RouterStatus) => void;
  readonly log: Logger;
  /** Whether routers without a gateway are served. */
  readonly handlesInternalOnly: boolean;
}

export interface Done {
  readonly outcome: ReconcileOutcome;
  readonly isServed: boolean;
  readonly foreignChanges: number;
  readonly warnings: readonly string[];
}

const maxReason = 500;

export class RouterServing {
  readonly #parts: RouterServingParts;
  readonly #verifyPlan: VerifyPlan<RouterId>;
  readonly #statuses: StatusMemory;

  constructor(parts: RouterServingParts, verifyPlan: VerifyPlan<RouterId>) {
    this.#parts = parts;
    this.#verifyPlan = verifyPlan;
    this.#statuses = new StatusMemory(parts.report);
  }

  /** The server may have lost what it was told. */
  forgetTold(): void {
    this.#statuses.forgetAll();
    this.#parts.haStates?.forgetAll();
  }

  /** @param router undefined: it is not this host's */
  async bring(id: RouterId, router: Router | undefined): Promise<Done> {
    if (router === undefined || !this.#isWanted(router)) {
      const removed = await this.remove(id);
      // Its ports are DOWN when somebody says that it is as it should be. One that is only not ours to serve is nobody's word.
      if (router?.adminStateUp === false) this.#tell(router, "ACTIVE", null);
      return removed;
    }
    const { haStates } = this.#parts;
    const applied = await this.#apply(router);
    this.#verifyPlan.addServed(id);
    if (applied.haState === undefined) haStates?.forget(id);
    else haStates?.served(id);
    await this.#serveMetadata(router, applied.haState === undefined || applied.haState === "primary");
    this.#tell(router, "ACTIVE", null);
    return { ...applied, isServed: true };
  }

  async remove(id: RouterId): Promise<Done> {
    const { driver, metadata, haStates } = this.#parts;
    this.#verifyPlan.forget(id);
    this.#statuses.forget(id);
    haStates?.forget(id);
    const isPresent = (await driver.list()).includes(id);
    await metadata?.remove(id);
    await driver.remove(id);
    return { outcome: isPresent ? "removed" : "absent", isServed: false, foreignChanges: 0, warnings: [] };
  }

  #isWanted({ adminStateUp, gateway }: Router): boolean {
    return adminStateUp && (gateway !== null || this.#parts.handlesInternalOnly);
  }

  async #apply(router: Router): Promise<AppliedRouter> {
    const { id, isHa } = router;
    const { driver, haStates } = this.#parts;
    const verify = this.#verifyPlan.takeWanted(id);
    try {
      return await driver.apply(router, { verify });
    } catch (thrown) {
      this.#tell(router, "ERROR", errorText(thrown));
      // Who forwards is settled without us: the word on a router counts from the host that does, also where it fails.
      if (isHa) haStates?.served(id);
      // A helper that does not start keeps no instance behind the router from its metadata.
      if (!isHa || haStates?.isPrimary(id) === true) await this.#serveMetadataAnyway(router);
      throw thrown;
    }
  }

  /** Instances without metadata are as good as none: the router says it, though packets flow. */
  async #serveMetadata(router: Router, isForwarding: boolean): Promise<void> {
    const { metadata, driver } = this.#parts;
    try {
      if (isForwarding) await metadata?.apply(router, driver.placeOf(router.id));
      else await metadata?.remove(router.id);
    } catch (thrown) {
      this.#tell(router, "ERROR", `no metadata: ${errorText(thrown)}`);
      throw thrown;
    }
  }

  async #serveMetadataAnyway(router: Router): Promise<void> {
    const { metadata, driver, log } = this.#parts;
    try {
      if ((await driver.list()).includes(router.id)) await metadata?.apply(router, driver.placeOf(router.id));
    } catch (thrown) {
      log.debug({ routerId: router.id, err: errorText(thrown) }, "no metadata for a router that failed");
    }
  }

  #tell({ id, revision }: Router, status: RouterStatus["status"], reason: string | null): void {
    this.#statuses.tell({ id, revision, status, reason: reason?.slice(0, maxReason) ?? null });
  }
}
