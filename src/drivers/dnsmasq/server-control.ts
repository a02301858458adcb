// Start and stop of one network's dnsmasq: with which arguments and environment, and as which user.
import { join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import { ensureDirectory } from "../../linux/atomic-file.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import type { ProcessState } from "../../linux/process-table.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";
import type { LeaseControl } from "../lease-control.ts";
import { ipVersionOf } from "../../linux/addresses.ts";
import { refuseBesideAuthority } from "./authority-check.ts";
import { countServingHosts } from "./lease-seed.ts";
import { buildArguments } from "./args.ts";
import type { DnsmasqOptions } from "./dnsmasq-options.ts";
import type { DnsmasqFeatures } from "./dnsmasq-version.ts";
import { LogFiles } from "./log-file.ts";
import type { NetworkFiles } from "./network-files.ts";
import { chooseUser, findDnsmasqs, findServer, serversOf, startServer } from "./server-process.ts";
import { ServerStopper } from "./server-stopper.ts";

export interface ServerControlParts {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly log: Logger;
  readonly options: DnsmasqOptions;
  readonly features: DnsmasqFeatures;
  readonly leases: LeaseControl | undefined;
}

const recentMs = 5_000;

export class ServerControl {
  readonly #parts: ServerControlParts;
  readonly #logFiles: LogFiles;
  readonly #stopper = new ServerStopper();
  #look: { readonly atMs: number; readonly dnsmasqs: readonly ProcessState[] } | undefined;
  #user: { readonly name: "root" | undefined } | undefined;

  constructor(parts: ServerControlParts) {
    this.#parts = parts;
    this.#logFiles = new LogFiles(parts.options.baseLogDirectory, parts.log);
  }

  /** The vector that the server of this network should run with now. */
  async argumentsFor({ view, device }: DesiredDhcp, files: NetworkFiles, domain: string): Promise<readonly string[]> {
    const { options, features, leases } = this.#parts;
    const { id } = view.network;
    const { name: user } = (this.#user ??= await this.#chooseUser());
    const logFile = this.#logFiles.ensure(id);
    const { interfaceName } = device;
    const argv = buildArguments({ view, directory: files.directory, domain, options, user, features, interfaceName, logFile });
    const bus = features.hasDbus ? leases?.access(id) : undefined;
    return bus === undefined ? argv : [...argv, `--enable-dbus=${bus.busName}`];
  }

  /**
   * Before a first server is started here, where servers may be authoritative.
   *
   * @throws UNAVAILABLE while another host's is, because it would refuse clients of this one
   */
  async checkOthers({ view, device, dhcpPort }: DesiredDhcp): Promise<void> {
    const { runner, options } = this.#parts;
    if (!options.isAuthoritative || countServingHosts(view) < 2) return;
    const serverAddress = dhcpPort.fixedIps.find(({ ipAddress }) => ipVersionOf(ipAddress) === 4)?.ipAddress;
    if (serverAddress !== undefined) await refuseBesideAuthority({ runner, ...device, serverAddress });
  }

  async start({ view, device }: DesiredDhcp, files: NetworkFiles, argv: readonly string[]): Promise<ProcessState> {
    const { runner, options, leases } = this.#parts;
    const { id } = view.network;
    const env = {
      NETLOOM_NETWORK_ID: id,
      ...(options.leaseSocket === undefined ? {} : { NETLOOM_LEASE_SOCKET: options.leaseSocket }),
      ...leases?.access(id)?.environment,
    };
    return startServer({ runner, files, argv, namespace: device.namespace, env });
  }

  /**
   * Ends every dnsmasq of this network, also one whose pid file is missing: an agent that was killed just after the start
   * leaves such a one, and two would answer in turn.
   */
  async stop(files: NetworkFiles): Promise<void> {
    const noted = files.readState();
    const known = findServer(files, noted);
    // The note was written after the start, so there is no other.
    const isCertain = noted?.phase === "running" && known !== undefined;
    // One without any note was never started by an agent that notes before it starts: a recent look is good enough for it.
    const found = (): readonly ProcessState[] => serversOf(files, this.#lookAround(noted === undefined ? recentMs : 0));
    await this.#stopper.stop(isCertain ? [known] : found());
    files.removePid();
  }

  /** A look at all processes costs milliseconds; two hundred networks that start at once share it. */
  #lookAround(maxAgeMs: number): readonly ProcessState[] {
    const nowMs = performance.now();
    if (this.#look === undefined || nowMs - this.#look.atMs > maxAgeMs) {
      this.#look = { atMs: nowMs, dnsmasqs: findDnsmasqs() };
    }
    return this.#look.dnsmasqs;
  }

  async #chooseUser(): Promise<{ readonly name: "root" | undefined }> {
    const { stateDir, log } = this.#parts;
    const directory = join(stateDir, "dhcp");
    await ensureDirectory(directory);
    const name = chooseUser(directory);
    if (name === "root") log.warn({ stateDir }, "state directory is closed to others, so dnsmasq keeps running as root");
    return { name };
  }
}
