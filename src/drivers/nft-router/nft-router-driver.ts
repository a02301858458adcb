// Routers as network namespaces with one nft table each. `apply` looks only where something changed or somebody asks for it. What
// may exist is written down before it is made, what is complete afterwards.
import { randomUUID } from "node:crypto";
import type { InterfaceDriverSettings } from "../../device-manager/interface-driver.ts";
import { createInterfaceDriver } from "../../device-manager/interface-drivers.ts";
import { retryWhilePassing } from "../../linux/bridge.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import { IpBatcher } from "../../linux/ip-batcher.ts";
import { hasDevice } from "../../linux/ip.ts";
import type { NamespaceRunner } from "../../linux/namespace-worker.ts";
import { isNamespace, namespaceInode, removeStaleNamespaceFile } from "../../linux/netns.ts";
import type { NftShellPool } from "../../linux/nft-shell-pool.ts";
import { routerNamespaceName } from "../../model/device-names.ts";
import type { RouterId } from "../../model/ids.ts";
import type { Router } from "../../model/router.ts";
import type { AppliedRouter, ApplyRouterOptions, RouterDriver, RouterOutcome, RouterPlace } from "../router-driver.ts";
import type { RouterHaDriver } from "../router-ha.ts";
import { Announcer } from "./announcer.ts";
import { checkBridge, type HostDrivers, unplugTaps } from "./host-side.ts";
import { HaPart } from "./ha-part.ts";
import { limitsWithoutRadvd } from "./radvd-config.ts";
import { Radvd } from "./radvd.ts";
import { isReadyFile, removeReadyFile, writeReadyFile } from "./ready-file.ts";
import { countChanges, framesOf, losesElements, mayBeTakeOver, type Changes } from "./router-changes.ts";
import { RouterKernel } from "./router-kernel.ts";
import { listRouterMarks, readRouterMark, removeRouterMark, type RouterMark, writeRouterMark } from "./router-mark.ts";
import { buildRouterSpec, fingerprintOf, type RouterSpec } from "./router-spec.ts";
import { RouterTable } from "./router-table.ts";
import { SpareNamespaces } from "./spare-namespaces.ts";

export interface NftRouterOptions {
  readonly runner: CommandRunner;
  readonly worker: NamespaceRunner;
  readonly nft: NftShellPool;
  readonly stateDir: string;
  readonly namespacePrefix?: string | undefined;
  /** Physical network → bridge of the operator. */
  readonly bridgeMappings?: ReadonlyMap<string, string> | undefined;
  /** How tenants' networks are joined; Linux bridges when not given. */
  readonly interfaceDriver?: InterfaceDriverSettings | undefined;
  readonly hasIpv6: boolean;
  /** Whether routers can advertise themselves; true when not given. */
  readonly hasRadvd?: boolean | undefined;
  /** Namespaces that are kept ready for routers to come; none when not given. */
  readonly spares?: number | undefined;
  /** Decides for routers of high availability; without it this host has none. */
  readonly ha?: RouterHaDriver | undefined;
}

type Ready = NonNullable<RouterMark["ready"]>;

interface Known {
  readonly spec: RouterSpec;
  readonly ready: Ready;
  /** What the kernel did not take. */
  readonly warnings: readonly string[];
}

export class NftRouterDriver implements RouterDriver {
  readonly #options: NftRouterOptions;
  readonly #prefix: string;
  readonly #drivers: HostDrivers;
  readonly #table: RouterTable;
  readonly #radvd: Radvd;
  readonly #announcer: Announcer;
  readonly #spares: SpareNamespaces;
  readonly #kernel: RouterKernel;
  readonly #ha: HaPart;
  /** What this process made or found complete. */
  readonly #known = new Map<RouterId, Known>();

  constructor(options: NftRouterOptions) {
    const { runner, worker, nft, stateDir, interfaceDriver = { kind: "bridge" } } = options;
    const tools = { runner, worker, removals: new IpBatcher(runner) };
    this.#options = options;
    this.#prefix = options.namespacePrefix ?? "";
    this.#drivers = {
      inner: createInterfaceDriver(tools, interfaceDriver),
      outer: createInterfaceDriver(tools, { kind: "bridge" }),
    };
    this.#table = new RouterTable(runner, nft);
    this.#radvd = new Radvd(stateDir, runner);
    this.#announcer = new Announcer(worker);
    this.#spares = new SpareNamespaces({
      ...{ worker, nft, stateDir, namespacePrefix: this.#prefix, count: options.spares ?? 0 },
      load: (namespace) => this.#table.load(namespace),
    });
    this.#kernel = new RouterKernel({
      ...{ worker, nft, drivers: this.#drivers, table: this.#table, spares: this.#spares },
      hasIpv6: options.hasIpv6,
    });
    this.#ha = new HaPart(options.ha, options);
  }

  /** Makes namespaces for routers to come. Resolves when they are ready; never rejects. */
  async prepare(): Promise<void> {
    await this.#spares.start();
  }

  /** Resolves when as many are ready as are wished. */
  async prepared(): Promise<void> {
    await this.#spares.settled();
  }

  placeOf(id: RouterId): RouterPlace {
    return { namespace: routerNamespaceName(this.#prefix, id) };
  }

  async list(): Promise<readonly RouterId[]> {
    return listRouterMarks(this.#options.stateDir);
  }

  async findBroken(): Promise<readonly RouterId[]> {
    const broken: RouterId[] = [];
    for (const [id, { spec, ready }] of this.#known) {
      const isThere = namespaceInode(spec.namespace) === ready.namespaceInode && spec.ports.every(({ tap }) => hasDevice(tap));
      const lacksRadvd = spec.advertisements !== undefined && (await this.#radvd.find(id, spec.namespace)) === undefined;
      if (!isThere || lacksRadvd || !(await this.#ha.isRunning(spec))) broken.push(id);
    }
    return broken;
  }

  async apply(router: Router, { verify }: ApplyRouterOptions): Promise<AppliedRouter> {
    const { namespacePrefix = "", bridgeMappings = new Map(), hasIpv6, hasRadvd = true } = this.#options;
    const common = buildRouterSpec(router, { namespacePrefix, bridgeMappings, hasIpv6, hasRadvd });
    const spec = await this.#ha.specOf(common, router);
    for (const port of spec.ports) checkBridge(port);
    const limits = hasRadvd || !hasIpv6 ? [] : limitsWithoutRadvd(router);
    if (await this.#ha.isOtherKind(router, this.#known.get(router.id)?.spec)) await this.remove(router.id);
    const applied = await this.#bring(spec, verify);
    const state = spec.ha === undefined ? {} : { haState: spec.ha.state };
    return { ...applied, ...state, warnings: [...applied.warnings, ...limits] };
  }

  async #bring(spec: RouterSpec, verify: boolean): Promise<AppliedRouter> {
    const fingerprint = fingerprintOf(spec);
    const known = this.#known.get(spec.routerId);
    if (!verify) {
      const settled = await this.#findSettled(spec, fingerprint);
      if (settled !== undefined) return { outcome: settled, foreignChanges: 0, warnings: known?.warnings ?? [] };
    }
    // What is half done is not known any more.
    this.#known.delete(spec.routerId);
    return retryWhilePassing(() => this.#make(spec, fingerprint, known?.ready));
  }

  async remove(id: RouterId): Promise<void> {
    const { stateDir, nft, worker } = this.#options;
    this.#known.delete(id);
    this.#announcer.forget(id);
    const { namespace } = this.placeOf(id);
    const mark = await readRouterMark(stateDir, id, namespace);
    if (mark !== undefined) await removeReadyFile(stateDir, id);
    await this.#ha.remove(id);
    // Without our mark a namespace of that name is somebody else's.
    if (mark === undefined) return;
    await this.#radvd.remove(id);
    await nft.forget(mark.namespace);
    if (isNamespace(mark.namespace)) {
      await worker.run(undefined, [{ kind: "removeNamespace", name: mark.namespace }]);
    } else {
      removeStaleNamespaceFile(mark.namespace);
    }
    await unplugTaps(this.#drivers, mark.taps, { areVanishing: true });
    await removeRouterMark(stateDir, id);
  }

  async close(): Promise<void> {
    this.#announcer.close();
    await this.#spares.close();
  }

  /** No child: by what this process or an earlier one noted, and by a look whether namespace and taps are still there. */
  async #findSettled(spec: RouterSpec, fingerprint: string): Promise<RouterOutcome | undefined> {
    const { stateDir } = this.#options;
    const { routerId, namespace } = spec;
    const known = this.#known.get(routerId)?.ready;
    const ready = known ?? (await readRouterMark(stateDir, routerId, namespace))?.ready;
    if (ready === undefined || ready.fingerprint !== fingerprint) return undefined;
    if (namespaceInode(namespace) !== ready.namespaceInode) return undefined;
    if (!spec.ports.every(({ tap, bridge }) => hasDevice(tap) && hasDevice(bridge))) return undefined;
    if (spec.advertisements !== undefined && (await this.#radvd.find(routerId, namespace)) === undefined) return undefined;
    if (!(await this.#ha.isRunning(spec))) return undefined;
    // An earlier program may have put its files elsewhere.
    if (known === undefined) await this.#ha.ensure(spec, false);
    if (known === undefined && spec.advertisements !== undefined) await this.#advertise(spec);
    if (!(await isReadyFile(stateDir, spec, ready))) await writeReadyFile(stateDir, spec, ready);
    if (known === undefined) this.#known.set(routerId, { spec, ready, warnings: [] });
    return known === undefined ? "adopted" : "unchanged";
  }

  async #make(spec: RouterSpec, fingerprint: string, known: Ready | undefined): Promise<AppliedRouter> {
    const { stateDir } = this.#options;
    const { routerId, namespace } = spec;
    const mark = await readRouterMark(stateDir, routerId, namespace);
    const before = known ?? mark?.ready;
    let changes = await this.#kernel.plan(spec, mark);
    const wasAsked = before?.fingerprint === fingerprint;
    if (spec.ha !== undefined && mayBeTakeOver(changes, wasAsked)) {
      // Whatever it has become: that was written, and is looked at next.
      if (!(await this.#ha.isLasting(spec))) return { outcome: "unchanged", foreignChanges: 0, warnings: [] };
      changes = await this.#kernel.plan(spec, mark);
    }
    const count = countChanges(changes);
    if (count > 0 || !wasAsked) await this.#writeIntent(spec, mark, changes);
    const warnings = await this.#kernel.execute(spec, changes);
    this.#announcer.announce(routerId, namespace, framesOf(changes.inside));
    const isRemade = changes.look.isNew || changes.look.host.includes("absent");
    const hasNewHa = await this.#ha.ensure(spec, isRemade);
    const isKept = before !== undefined && !losesElements(changes) && before.namespaceInode === namespaceInode(namespace);
    const ready: Ready = {
      fingerprint,
      namespaceInode: namespaceInode(namespace) ?? 0,
      epoch: isKept ? before.epoch : randomUUID(),
      rulesHash: await this.#table.rulesHash(namespace),
    };
    // A radvd that does not start is the router's trouble, and not that of its floating IPs.
    const isToldBefore = spec.advertisements !== undefined && !(await isReadyFile(stateDir, spec, ready));
    if (isToldBefore) await this.#writeDone(spec, { ...ready, fingerprint: "" }, true);
    const hasNewRadvd = await this.#advertise(spec);
    const hasChanged = isToldBefore || count > 0 || JSON.stringify(ready) !== JSON.stringify(mark?.ready);
    await this.#writeDone(spec, ready, hasChanged);
    this.#known.set(routerId, { spec, ready, warnings });
    // What was refused is as it was.
    const total = count - warnings.length + (hasNewRadvd ? 1 : 0) + (hasNewHa ? 1 : 0);
    const outcome = changes.look.isNew ? "created" : total > 0 || !wasAsked ? "changed" : "unchanged";
    // An agent that was killed half way left a mark without `ready`: then nobody knows whose change it was.
    return { outcome, foreignChanges: wasAsked ? total : 0, warnings };
  }

  /** What names all that may exist from now on; and nobody relies on what may be lost. */
  async #writeIntent(spec: RouterSpec, mark: RouterMark | undefined, changes: Changes): Promise<void> {
    const { stateDir } = this.#options;
    const { routerId, namespace } = spec;
    if (losesElements(changes)) await removeReadyFile(stateDir, routerId);
    const present = spec.ports.map(({ tap, bridge, isForeignBridge }) => ({ tap, bridge, isForeignBridge }));
    const ready = losesElements(changes) ? undefined : mark?.ready;
    // The fingerprint of what is being left: whoever reads it looks at everything.
    const unsettled = ready === undefined ? undefined : { ...ready, fingerprint: "" };
    await writeRouterMark(stateDir, { routerId, namespace, taps: [...changes.staleTaps, ...present], ready: unsettled });
  }

  async #advertise({ routerId, namespace, advertisements }: RouterSpec): Promise<boolean> {
    if (advertisements === undefined) return this.#radvd.remove(routerId);
    return this.#radvd.ensure(routerId, namespace, advertisements);
  }

  async #writeDone(spec: RouterSpec, ready: Ready, hasChanged: boolean): Promise<void> {
    const { stateDir } = this.#options;
    const { routerId, namespace, ports } = spec;
    const taps = ports.map(({ tap, bridge, isForeignBridge }) => ({ tap, bridge, isForeignBridge }));
    if (hasChanged) await writeRouterMark(stateDir, { routerId, namespace, taps, ready });
    if (!(await isReadyFile(stateDir, spec, ready))) await writeReadyFile(stateDir, spec, ready);
  }
}
