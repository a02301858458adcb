// One dnsmasq per network. Ports come by a small file that dnsmasq reads at once; they go by new base files and SIGHUP; it
// is started anew only when its arguments change.
import { join } from "node:path";
import { NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { ensureDirectory, readDirectoryIfPresent } from "../../linux/atomic-file.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import { isAlive, type ProcessIdentity, sendSignal } from "../../linux/process-table.ts";
import { ensureInotifyInstances } from "../../linux/sysctl.ts";
import { isUuid, type NetworkId, networkId } from "../../model/ids.ts";
import type { DesiredDhcp, DhcpDriver, DhcpOutcome } from "../dhcp-driver.ts";
import { buildArguments } from "./args.ts";
import { type DesiredFiles, DesiredFilesBuilder } from "./desired-files.ts";
import { defaultDnsmasqOptions, type DnsmasqOptions } from "./dnsmasq-options.ts";
import { LeaseCleaner } from "./lease-cleaner.ts";
import { NetworkFiles } from "./network-files.ts";
import { type DnsmasqPlan, type LoadedFiles, planDnsmasq } from "./plan.ts";
import { chooseUser, compareServer, findServer, startServer, stopServers } from "./server-process.ts";

export interface DnsmasqDriverDeps {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly log: Logger;
  /** What is not given is the default. */
  readonly options?: Partial<DnsmasqOptions> | undefined;
}

/** inotify instances that others on the host may want. */
const inotifyMargin = 64;

/** What this process knows of a running server. */
interface Picture {
  readonly server: ProcessIdentity;
  readonly argvText: string;
  readonly namespace: string;
  readonly loaded: LoadedFiles;
}

/** Everything that one `apply` works with. */
interface Work {
  readonly desired: DesiredDhcp;
  readonly files: NetworkFiles;
  readonly argv: readonly string[];
  readonly target: DesiredFiles;
  readonly loaded: LoadedFiles | undefined;
  readonly server: ProcessIdentity | undefined;
}

export class DnsmasqDriver implements DhcpDriver {
  readonly #deps: DnsmasqDriverDeps;
  readonly #options: DnsmasqOptions;
  readonly #builder: DesiredFilesBuilder;
  readonly #cleaner: LeaseCleaner;
  readonly #pictures = new Map<NetworkId, Picture>();
  #user: "root" | undefined;
  #isUserKnown = false;
  #smallFiles = 0;

  constructor(deps: DnsmasqDriverDeps) {
    this.#deps = deps;
    this.#options = { ...defaultDnsmasqOptions, ...deps.options };
    this.#builder = new DesiredFilesBuilder(this.#options);
    this.#cleaner = new LeaseCleaner(deps.runner);
  }

  /** Throws INVALID with `detail.portIds` when ports were left out; everything else is then as asked all the same. */
  async apply(desired: DesiredDhcp): Promise<DhcpOutcome> {
    const { id } = desired.view.network;
    const { plan, work } = await this.#look(desired);
    if (plan.action !== "unchanged") {
      this.#deps.log.debug(
        { networkId: id, plan: plan.action, reason: "reason" in plan ? plan.reason : "" },
        "dnsmasq planned",
      );
    }
    const outcome = await this.#carryOut(plan, work);
    const { refused } = work.target;
    if (refused.length > 0) {
      const reasons = refused.map((one) => `port ${one.portId}: ${one.reason}`).join("; ");
      const portIds = refused.map((one) => one.portId);
      throw new NetloomError("INVALID", `left out of DHCP: ${reasons}`, { networkId: id, portIds, outcome });
    }
    return outcome;
  }

  async #look(desired: DesiredDhcp): Promise<{ readonly plan: DnsmasqPlan; readonly work: Work }> {
    const { view, device } = desired;
    const files = this.#filesOf(view.network.id);
    const target = this.#builder.build(desired);
    const argv = buildArguments({
      view,
      directory: files.directory,
      domain: target.domain,
      options: this.#options,
      user: await this.#chooseUser(),
    });
    const picture = this.#pictures.get(view.network.id);
    if (
      picture !== undefined &&
      picture.argvText === argv.join("\0") &&
      picture.namespace === device.namespace &&
      isAlive(picture.server)
    ) {
      const { loaded, server } = picture;
      return { plan: planDnsmasq(target, loaded, "fits"), work: { desired, files, argv, target, loaded, server } };
    }
    this.#pictures.delete(view.network.id);
    const server = await findServer(files);
    const state = compareServer(server, argv, device.namespace);
    const loaded = await files.readLoaded();
    if (server !== undefined && loaded !== undefined && state === "fits") {
      this.#remember(desired, argv, server, loaded);
    }
    return { plan: planDnsmasq(target, loaded, state), work: { desired, files, argv, target, loaded, server } };
  }

  async #carryOut(plan: DnsmasqPlan, work: Work): Promise<DhcpOutcome> {
    switch (plan.action) {
      case "unchanged":
        return "unchanged";
      case "add":
        this.#add(work, plan.hostLines, plan.dnsLines);
        return "added";
      case "reload":
        return this.#reload(work);
      case "start":
        await this.#start(work);
        return "started";
      case "restart":
        await this.#start(work);
        return "restarted";
    }
  }

  #add(work: Work, hostLines: readonly string[], dnsLines: readonly string[]): void {
    const { loaded, server, desired, files, argv } = work;
    if (loaded === undefined || server === undefined) throw new NetloomError("CONFLICT", "no running dnsmasq to add to");
    // Until it is done nobody may believe the old picture.
    this.#pictures.delete(desired.view.network.id);
    this.#smallFiles += 1;
    const name = `${Date.now().toString(36)}-${process.pid}-${this.#smallFiles}`;
    const addedDnsLines = [...loaded.addedDnsLines, ...dnsLines];
    files.addLines(name, hostLines, addedDnsLines);
    this.#remember(desired, argv, server, {
      hostLines: new Set([...loaded.hostLines, ...hostLines]),
      dnsLines: new Set([...loaded.dnsLines, ...dnsLines]),
      optsText: loaded.optsText,
      deltaCount: loaded.deltaCount + (hostLines.length > 0 ? 1 : 0),
      addedDnsLines,
    });
  }

  async #reload(work: Work): Promise<DhcpOutcome> {
    const { desired, files, target, server, argv } = work;
    this.#pictures.delete(desired.view.network.id);
    await files.markChanging();
    const { loaded, baseHash } = await files.writeBase(target);
    if (server === undefined || !sendSignal(server, "SIGHUP")) {
      await this.#start(work);
      return "started";
    }
    // Only now, with the new lines in force: else the old owner could renew between the two steps.
    if (!(await this.#cleaner.release(work))) {
      this.#deps.log.warn({ networkId: desired.view.network.id }, "leases cannot be released, dnsmasq is restarted");
      await this.#start(work);
      return "restarted";
    }
    await files.writeState({ phase: "running", baseHash });
    this.#remember(desired, argv, server, loaded);
    return "reloaded";
  }

  async #start(work: Work): Promise<void> {
    const { desired, files, target, argv } = work;
    const { id } = desired.view.network;
    this.#pictures.delete(id);
    const before = await files.readState();
    await files.markChanging();
    await stopServers(files, before?.phase === "running");
    ensureInotifyInstances(this.#pictures.size + inotifyMargin, this.#deps.log);
    const { loaded, baseHash } = await files.writeBase(target);
    await files.writeInterface(desired.device.interfaceName);
    await this.#cleaner.prune(work);
    const { namespace } = desired.device;
    const env = {
      NETLOOM_NETWORK_ID: id,
      ...(this.#options.leaseSocket === undefined ? {} : { NETLOOM_LEASE_SOCKET: this.#options.leaseSocket }),
    };
    const server = await startServer({ runner: this.#deps.runner, files, argv, namespace, env });
    await files.writeState({ phase: "running", baseHash });
    this.#remember(desired, argv, server, loaded);
  }

  #remember(desired: DesiredDhcp, argv: readonly string[], server: ProcessIdentity, loaded: LoadedFiles): void {
    this.#pictures.set(desired.view.network.id, {
      server: { pid: server.pid, startTime: server.startTime },
      argvText: argv.join("\0"),
      namespace: desired.device.namespace,
      loaded,
    });
  }

  #filesOf(id: NetworkId): NetworkFiles {
    return new NetworkFiles(join(this.#deps.stateDir, "dhcp", id));
  }

  async #chooseUser(): Promise<"root" | undefined> {
    if (this.#isUserKnown) return this.#user;
    const directory = join(this.#deps.stateDir, "dhcp");
    await ensureDirectory(directory);
    this.#user = chooseUser(directory);
    this.#isUserKnown = true;
    if (this.#user === "root") {
      this.#deps.log.warn(
        { stateDir: this.#deps.stateDir },
        "state directory is closed to others, so dnsmasq keeps running as root",
      );
    }
    return this.#user;
  }

  async remove(id: NetworkId): Promise<void> {
    this.#pictures.delete(id);
    const files = this.#filesOf(id);
    if (!(await files.isPresent())) return;
    const state = await files.readState();
    await stopServers(files, state?.phase === "running");
    await files.remove();
  }

  async list(): Promise<readonly NetworkId[]> {
    const entries = await readDirectoryIfPresent(join(this.#deps.stateDir, "dhcp"));
    const ids = entries.filter(isUuid).map(networkId);
    const isPresent = await Promise.all(ids.map(async (id) => this.#filesOf(id).isPresent()));
    return ids.filter((_, index) => isPresent[index] === true);
  }

  async findDead(): Promise<readonly NetworkId[]> {
    const ids = await this.list();
    const isDead = await Promise.all(
      ids.map(async (id) => {
        const picture = this.#pictures.get(id);
        if (picture !== undefined && isAlive(picture.server)) return false;
        return (await findServer(this.#filesOf(id))) === undefined;
      }),
    );
    return ids.filter((_, index) => isDead[index] === true);
  }
}
