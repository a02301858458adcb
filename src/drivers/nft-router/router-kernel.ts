// A router in the kernel: looks at all of it — host's ends, inside, rules — and changes what differs, in an order that lets nothing
// out untranslated.
import { type NamespaceOperation, type NamespaceRunner, netlink } from "../../linux/namespace-worker.ts";
import { deleteFlowsAnsweredTo } from "../../linux/netlink-conntrack.ts";
import { deleteLink } from "../../linux/netlink.ts";
import { hasDevice } from "../../linux/ip.ts";
import { isNamespace, removeStaleNamespaceFile } from "../../linux/netns.ts";
import type { NftShellPool } from "../../linux/nft-shell-pool.ts";
import { ensureOnHost, type HostDrivers, type HostLook, lookAtHost, unplugTaps } from "./host-side.ts";
import {
  allSettings,
  forwardingSettings,
  haForwardingSettings,
  namespaceSettings,
  nothingInside,
  planInside,
} from "./inside-plan.ts";
import type { Changes, Look } from "./router-changes.ts";
import type { RouterMark } from "./router-mark.ts";
import { changeRoutes, readInside } from "./router-namespace.ts";
import type { RouterSpec } from "./router-spec.ts";
import type { RouterTable, TablePlan } from "./router-table.ts";
import type { SpareNamespaces } from "./spare-namespaces.ts";

export interface RouterKernelParts {
  readonly worker: NamespaceRunner;
  readonly nft: NftShellPool;
  readonly drivers: HostDrivers;
  readonly table: RouterTable;
  readonly spares: SpareNamespaces;
  readonly hasIpv6: boolean;
}

export class RouterKernel {
  readonly #parts: RouterKernelParts;

  constructor(parts: RouterKernelParts) {
    this.#parts = parts;
  }

  async plan(spec: RouterSpec, mark: RouterMark | undefined): Promise<Changes> {
    const { worker, drivers, table: rules, hasIpv6 } = this.#parts;
    const isNew = !isNamespace(spec.namespace);
    const settings = [...allSettings(spec), ...forwardingOf(spec)];
    const [host, inside, table] = await Promise.all([
      Promise.all(spec.ports.map((port) => lookAtHost(drivers, port))),
      isNew ? nothingInside : readInside(worker, spec.namespace, { settings, hasIpv6 }),
      rules.plan(spec, { isNew, rulesHash: mark?.ready?.rulesHash ?? undefined }),
    ]);
    // One end without the other is of no use, and what the pair is made anew for is not there yet.
    const looks = spec.ports.map(({ device }, index): HostLook => {
      const hasInner = inside.devices.some(({ name }) => name === device);
      return hasInner ? (host[index] ?? "absent") : "absent";
    });
    const madeAnew = new Set(spec.ports.filter((_, index) => looks[index] === "absent").map(({ device }) => device));
    const kept = { ...inside, devices: inside.devices.filter(({ name }) => !madeAnew.has(name)) };
    const wanted = new Set(spec.ports.map(({ tap }) => tap));
    return {
      look: { host: looks, inside, isNew },
      inside: planInside(spec, kept),
      table,
      staleTaps: (mark?.taps ?? []).filter(({ tap }) => !wanted.has(tap)),
    };
  }

  /** @returns what the kernel did not take */
  async execute(spec: RouterSpec, changes: Changes): Promise<readonly string[]> {
    const { worker, drivers, table: routerTable } = this.#parts;
    const { namespace, ports } = spec;
    const { look, inside, staleTaps } = changes;
    const hasRules = look.isNew && (await this.#makeNamespace(namespace));
    const table: TablePlan = hasRules ? { kind: "sets" } : changes.table;
    await this.#removeHalves(spec, look);
    // Rules first where there are none: nothing is forwarded before.
    const isFirst = look.isNew || table.kind === "create";
    const rules = isFirst ? routerTable.apply(spec, table) : Promise.resolve();
    await Promise.all([rules, ...ports.map((port, index) => ensureOnHost(drivers, port, look.host[index] ?? "absent"))]);
    await worker.run(namespace, inside.operations);
    const warnings = inside.routes.length === 0 ? [] : await changeRoutes(worker, namespace, inside.routes);
    if (!isFirst) await routerTable.apply(spec, table);
    if (look.isNew) await worker.run(namespace, forwardingOf(spec));
    if (staleTaps.length > 0) await unplugTaps(drivers, staleTaps, { areVanishing: false });
    // Last: until the rules are new, flows may still begin with an address that goes.
    await worker.run(namespace, inside.lostSources.map(deleteFlowsAnsweredTo));
    return warnings;
  }

  /** @returns whether it has the rules already */
  async #makeNamespace(namespace: string): Promise<boolean> {
    const { worker, nft, spares } = this.#parts;
    removeStaleNamespaceFile(namespace);
    if (await spares.take(namespace)) return true;
    await worker.run(undefined, [{ kind: "makeNamespace", name: namespace }]);
    nft.warm(namespace);
    await worker.run(namespace, namespaceSettings);
    return false;
  }

  /** An end inside whose other end is not on this host is in the way. */
  async #removeHalves(spec: RouterSpec, look: Look): Promise<void> {
    const halves = spec.ports.filter(({ device, tap }, index) => {
      const hasInner = look.inside.devices.some(({ name }) => name === device);
      return look.host[index] === "absent" && hasInner && !hasDevice(tap);
    });
    const operations: readonly NamespaceOperation[] = halves.map(({ device }) => netlink(deleteLink(device)));
    await this.#parts.worker.run(spec.namespace, operations);
  }
}

const forwardingOf = ({ ha }: RouterSpec): readonly NamespaceOperation[] =>
  ha === undefined ? forwardingSettings : haForwardingSettings;
