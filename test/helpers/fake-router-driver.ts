// A RouterDriver whose kernel is a map: it says what it did, and can be told to fail and to wait.
import type { AppliedRouter, ApplyRouterOptions, RouterDriver, RouterPlace } from "../../src/drivers/router-driver.ts";
import type { RouterId } from "../../src/model/ids.ts";
import type { Router } from "../../src/model/router.ts";

export class FakeRouterDriver implements RouterDriver {
  /** What the host has: router as it was asked for last. Shared with the driver of a successor. */
  readonly kernel: Map<RouterId, Router>;
  readonly applied: { readonly id: RouterId; readonly revision: number; readonly verify: boolean }[] = [];
  readonly removed: RouterId[] = [];
  /** Thrown by the next calls for a router, in order. */
  readonly applyFailures = new Map<RouterId, Error[]>();
  /** Thrown by the next calls for a router, in order, when all of it but a helper is there. */
  readonly helperFailures = new Map<RouterId, Error[]>();
  readonly removeFailures = new Map<RouterId, Error[]>();
  /** Awaited in the middle of `apply`. */
  during: (router: Router) => Promise<void> = async () => {};
  readonly broken = new Set<RouterId>();
  foreignChanges = 0;
  warnings: readonly string[] = [];
  /** Of routers of high availability; those that are not in it are plain. */
  readonly haStates = new Map<RouterId, NonNullable<AppliedRouter["haState"]>>();

  constructor(kernel = new Map<RouterId, Router>()) {
    this.kernel = kernel;
  }

  async apply(router: Router, { verify }: ApplyRouterOptions): Promise<AppliedRouter> {
    const { id, revision } = router;
    this.applied.push({ id, revision, verify });
    const failure = this.applyFailures.get(id)?.shift();
    if (failure !== undefined) throw failure;
    await this.during(router);
    const before = this.kernel.get(id);
    this.kernel.set(id, router);
    this.broken.delete(id);
    const helperFailure = this.helperFailures.get(id)?.shift();
    if (helperFailure !== undefined) throw helperFailure;
    const foreignChanges = verify ? this.foreignChanges : 0;
    const isSame = before !== undefined && JSON.stringify(before) === JSON.stringify(router) && foreignChanges === 0;
    return {
      outcome: before === undefined ? "created" : isSame ? "unchanged" : "changed",
      foreignChanges,
      warnings: this.warnings,
      haState: this.haStates.get(id),
    };
  }

  async remove(id: RouterId): Promise<void> {
    const failure = this.removeFailures.get(id)?.shift();
    if (failure !== undefined) throw failure;
    if (this.kernel.delete(id)) this.removed.push(id);
  }

  async list(): Promise<readonly RouterId[]> {
    return [...this.kernel.keys()];
  }

  async findBroken(): Promise<readonly RouterId[]> {
    return [...this.broken];
  }

  placeOf(id: RouterId): RouterPlace {
    return { namespace: `qrouter-${id}` };
  }

  async close(): Promise<void> {}
}
