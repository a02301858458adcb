// One dnsmasq per network. Ports come, go and move by small files that dnsmasq reads at once; what those cannot say comes by
// new base files and SIGHUP; it is started anew only when its arguments change.
import { join } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";
import { NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { readDirectoryIfPresent, removeStaleTemporaries } from "../../linux/atomic-file.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import { isAlive, type ProcessIdentity, type ProcessState, sendSignal } from "../../linux/process-table.ts";
import { readDroppedPackets } from "../../linux/process-load.ts";
import { namespaceInode } from "../../linux/netns.ts";
import { ensureInotifyInstances } from "../../linux/sysctl.ts";
import { isUuid, type NetworkId, networkId } from "../../model/ids.ts";
import type { DesiredDhcp, DhcpDriver, DhcpOutcome, DriverFigures } from "../dhcp-driver.ts";
import type { LeaseControl } from "../lease-control.ts";
import { keepModest } from "./args.ts";
import { DesiredFilesBuilder } from "./desired-files.ts";
import { defaultDnsmasqOptions, type DnsmasqOptions } from "./dnsmasq-options.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";
import { compareHosts, planHostDelta } from "./host-delta.ts";
import { LeaseCleaner } from "./lease-cleaner.ts";
import { LeaseSharing } from "./lease-sharing.ts";
import { NetworkFiles } from "./network-files.ts";
import { Notes } from "./note-log.ts";
import { mergeFreed, type Picture, type Work } from "./picture.ts";
import { type DnsmasqPlan, type LoadedFiles, planDnsmasq } from "./plan.ts";
import { ReloadPacer } from "./reload-pacer.ts";
import { ServerControl } from "./server-control.ts";
import { compareServer, findServer } from "./server-process.ts";
import { waitUntilSettled } from "./server-settled.ts";
import { ServerWatch } from "./server-watch.ts";

export interface DnsmasqDriverDeps {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly log: Logger;
  /** What is not given is the default. */
  readonly options?: Partial<DnsmasqOptions> | undefined;
  /** What the installed dnsmasq can do, see `readFeatures`; a current one is assumed. */
  readonly features?: DnsmasqFeatures | undefined;
  /** The way to leases over a message bus; without it they are released by packets. */
  readonly leases?: LeaseControl | undefined;
  readonly clock?: Clock | undefined;
}

/** inotify instances that others on the host may want. */
const inotifyMargin = 64;

/** No reconcile waits longer for a reload; what the server was told is in force all the same. */
const reloadMs = 1000;

/** Nothing has come for so long: small files are folded in while nobody waits. */
const idleMs = 30_000;

export class DnsmasqDriver implements DhcpDriver {
  readonly #deps: DnsmasqDriverDeps;
  readonly #features: DnsmasqFeatures;
  readonly #builder: DesiredFilesBuilder;
  readonly #servers: ServerControl;
  readonly #cleaner: LeaseCleaner;
  readonly #clock: Clock;
  readonly #pacer: ReloadPacer;
  readonly #notes: Notes;
  readonly #watch: ServerWatch;
  readonly #sharing: LeaseSharing;
  /** Of each network whose server runs as far as this process knows; none while it is being stopped or started. */
  readonly #pictures = new Map<NetworkId, Picture>();

  constructor(deps: DnsmasqDriverDeps) {
    const { runner, stateDir, log, leases, features = currentFeatures, clock = systemClock } = deps;
    const options = { ...defaultDnsmasqOptions, ...deps.options };
    this.#deps = deps;
    this.#features = features;
    this.#builder = new DesiredFilesBuilder(options, features);
    this.#servers = new ServerControl({ runner, stateDir, log, options, features, leases });
    this.#cleaner = new LeaseCleaner({ runner, control: leases });
    this.#clock = clock;
    this.#pacer = new ReloadPacer({ clock });
    this.#notes = new Notes(log);
    this.#watch = new ServerWatch({ clock, log });
    this.#sharing = new LeaseSharing({ control: leases, clock, leaseMax: options.leaseMax });
  }

  /** Throws INVALID with `detail.portIds` when ports were left out; everything else is then as asked all the same. */
  async apply(desired: DesiredDhcp): Promise<DhcpOutcome> {
    const { id } = desired.view.network;
    const { plan, work } = await this.#look(desired);
    this.#notes.tell(id, work.target.notes ?? []);
    if (plan.action !== "unchanged") {
      const reason = "reason" in plan ? plan.reason : "";
      this.#deps.log.debug({ networkId: id, plan: plan.action, reason }, "dnsmasq planned");
    }
    const planned = await this.#carryOut(plan, work);
    const outcome = (await this.#cleanLeases(work)) ? planned : "restarted";
    const { refused } = work.target;
    if (refused.length > 0) {
      const reasons = refused.map((one) => `port ${one.portId}: ${one.reason}`).join("; ");
      const portIds = refused.map((one) => one.portId);
      throw new NetloomError("INVALID", `left out of DHCP: ${reasons}`, { networkId: id, portIds, outcome });
    }
    return outcome;
  }

  /** See DhcpDriver: the server's rest after its last change. */
  nextApplyDelayMs(id: NetworkId): number {
    return this.#pacer.delayMs(id);
  }

  /** See DhcpDriver. */
  async readFigures(): Promise<DriverFigures> {
    const drops = [...this.#pictures.values()].map(({ server }) => readDroppedPackets(server.pid));
    return { changeCpuMs: this.#pacer.totalCpuMs, droppedPackets: drops.reduce((sum, count) => sum + count, 0) };
  }

  async #look(desired: DesiredDhcp): Promise<{ readonly plan: DnsmasqPlan; readonly work: Work }> {
    const { view, device } = desired;
    const { id } = view.network;
    const files = this.#filesOf(id);
    const target = this.#builder.build(desired);
    const wanted = await this.#servers.argumentsFor(desired, files, target.domain);
    const known = this.#pictures.get(id);
    const knownArgv = keepModest(wanted, known?.argvText ?? "");
    const isKnownRight =
      known !== undefined &&
      known.argvText === knownArgv.join("\0") &&
      known.namespace === device.namespace &&
      known.namespaceInode === namespaceInode(device.namespace);
    const features = this.#features;
    if (isKnownRight && isAlive(known.server)) {
      const { loaded, server } = known;
      const isIdle = this.#clock.monotonicMs() - known.changedAtMs >= idleMs;
      const plan = planDnsmasq(target, loaded, "fits", { isIdle, features });
      return { plan, work: { desired, files, argv: knownArgv, target, loaded, server, isTagged: loaded.hosts.isTagged } };
    }
    this.#pictures.delete(id);
    const { server, loaded, isTagged } = findRunning(files);
    const argv = keepModest(wanted, server?.argv.join("\0") ?? "");
    const work: Work = { desired, files, argv, target, loaded, server, isTagged };
    const isWatching = server === undefined || files.hasWatchedDirectories();
    // Directories that were made anew are not the ones that it watches.
    const state = isWatching ? compareServer(server, argv, device.namespace) : "differs";
    // Whoever served it before may have been killed between the new files and the release of leases.
    if (server !== undefined && loaded !== undefined && state === "fits") this.#remember(work, server, loaded, undefined);
    return { plan: planDnsmasq(target, loaded, state, { features, isTagged }), work };
  }

  async #carryOut(plan: DnsmasqPlan, work: Work): Promise<DhcpOutcome> {
    switch (plan.action) {
      case "unchanged":
        work.files.writeInterface(work.desired.device.interfaceName);
        await this.#sharing.share(work);
        return "unchanged";
      case "change":
        return this.#change(work, plan);
      case "reload":
        return this.#reload(work, plan.freed);
      case "start":
        await this.#start(work);
        return "started";
      case "restart":
        await this.#start(work);
        return "restarted";
    }
  }

  #change(work: Work, plan: Extract<DnsmasqPlan, { action: "change" }>): DhcpOutcome {
    const { loaded, server, desired, files, target } = work;
    if (loaded === undefined || server === undefined) throw new NetloomError("CONFLICT", "no running dnsmasq to change");
    const { id } = desired.view.network;
    const pending = mergeFreed(this.#pictures.get(id)?.pending, plan.freed);
    // Until it is done nobody may believe the old picture.
    this.#pictures.delete(id);
    this.#pacer.note(id, server);
    const { hosts, dnsBuckets } = loaded;
    const sizeIfOnlyAdded = hosts.lines.size + plan.hostLines.length;
    // Hosts first: somebody waits for the address, hardly ever for the name.
    if (plan.hostLines.length > 0) {
      files.addHostDelta(plan.hostLines);
      hosts.readDelta(plan.hostLines);
    }
    const names = plan.names === null ? {} : files.changeNames(target.dnsLines, plan.names, dnsBuckets);
    this.#remember(work, server, { ...loaded, ...names }, pending);
    this.#pacer.watch(id);
    return hosts.lines.size === sizeIfOnlyAdded ? "added" : "changed";
  }

  async #reload(work: Work, freed: readonly string[] | undefined): Promise<DhcpOutcome> {
    const { desired, files, target, server } = work;
    const { id } = desired.view.network;
    const pending = mergeFreed(this.#pictures.get(id)?.pending, freed);
    this.#pictures.delete(id);
    await files.markChanging(work.isTagged);
    const { loaded, baseHash } = files.writeBase(target, this.#features);
    if (server !== undefined) this.#pacer.note(id, server);
    if (server === undefined || !sendSignal(server, "SIGHUP")) {
      await this.#start(work);
      return "started";
    }
    files.markRunning(baseHash, server);
    files.writeInterface(desired.device.interfaceName);
    this.#remember(work, server, loaded, pending);
    this.#pacer.watch(id);
    // On a busy host a request that comes before the server has run would be answered from what it knew before.
    await waitUntilSettled(server, reloadMs);
    return "reloaded";
  }

  async #start(work: Work): Promise<void> {
    const { desired, files, target, argv } = work;
    const { id } = desired.view.network;
    this.#pictures.delete(id);
    this.#pacer.forget(id);
    // Of one that runs the others have heard.
    if (work.server === undefined) await this.#servers.checkOthers(desired);
    // While the note still tells which process is meant; a note that says less makes it look at all of them.
    await this.#servers.stop(files);
    await files.markChanging(work.isTagged);
    ensureInotifyInstances(this.#pictures.size + inotifyMargin, this.#deps.log);
    const { loaded, baseHash } = files.writeBase(target, this.#features);
    files.writeInterface(desired.device.interfaceName);
    this.#cleaner.prepare({ ...work, freed: freedSince(work) });
    const server = await this.#servers.start(desired, files, argv);
    files.markRunning(baseHash, server);
    this.#remember(work, server, loaded, []);
  }

  /** @returns false when it took a restart */
  async #cleanLeases(work: Work): Promise<boolean> {
    const { id } = work.desired.view.network;
    const picture = this.#pictures.get(id);
    if (picture === undefined || picture.pending?.length === 0) return true;
    if (await this.#cleaner.release({ ...work, freed: picture.pending }, picture.server)) {
      this.#pictures.set(id, { ...picture, pending: [] });
      return true;
    }
    this.#deps.log.warn({ networkId: id }, "leases cannot be released, dnsmasq is restarted");
    await this.#start(work);
    return false;
  }

  #remember(work: Work, { pid, startTime }: ProcessIdentity, loaded: LoadedFiles, pending: Picture["pending"]): void {
    const { view, device } = work.desired;
    this.#pictures.set(view.network.id, {
      server: { pid, startTime },
      argvText: work.argv.join("\0"),
      namespace: device.namespace,
      namespaceInode: namespaceInode(device.namespace),
      loaded,
      changedAtMs: this.#clock.monotonicMs(),
      pending,
    });
  }

  #filesOf(id: NetworkId): NetworkFiles {
    return new NetworkFiles(join(this.#deps.stateDir, "dhcp", id));
  }

  async remove(id: NetworkId): Promise<void> {
    // First, so that nobody takes the server's end for a crash.
    this.#pictures.delete(id);
    this.#pacer.forget(id);
    this.#notes.forget(id);
    this.#watch.forget(id);
    this.#sharing.forget(id);
    const files = this.#filesOf(id);
    if (!(await files.isPresent())) return;
    await this.#servers.stop(files);
    await files.remove();
  }

  async list(): Promise<readonly NetworkId[]> {
    await removeStaleTemporaries(join(this.#deps.stateDir, "dhcp"));
    const entries = await readDirectoryIfPresent(join(this.#deps.stateDir, "dhcp"));
    const ids = entries.filter(isUuid).map(networkId);
    const isPresent = await Promise.all(ids.map(async (id) => this.#filesOf(id).isPresent()));
    return ids.filter((_, index) => isPresent[index] === true);
  }

  /** See DhcpDriver. A server that is being stopped or started has no picture, so nobody takes that for a death. */
  async findDead(): Promise<readonly NetworkId[]> {
    return this.#watch.findDead(this.#pictures);
  }
}

/** The server that runs, and what it has read; the latter only when the note is about this very process. */
function findRunning(files: NetworkFiles): {
  readonly server: ProcessState | undefined;
  readonly loaded: LoadedFiles | undefined;
  readonly isTagged: boolean;
} {
  const noted = files.readState();
  const server = findServer(files, noted);
  if (server === undefined) return { server, loaded: undefined, isTagged: false };
  if (noted?.phase !== "running") return { server, loaded: undefined, isTagged: noted?.isTagged ?? true };
  const isNoted = noted.server.pid === server.pid && noted.server.startTime === server.startTime;
  const loaded = isNoted ? files.readLoaded() : undefined;
  return { server, loaded, isTagged: loaded?.hosts.isTagged ?? true };
}

/** Addresses that lost their owner since what was in force last. */
function freedSince({ loaded, target }: Work): readonly string[] | undefined {
  if (loaded === undefined) return undefined;
  return planHostDelta(compareHosts(target.hostLines, loaded.hosts), loaded.hosts).freed;
}
