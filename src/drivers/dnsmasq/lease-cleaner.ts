// Takes leases away from clients that no longer own the address: over the message bus where there is one, else by a packet in
// the client's name.
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../../base/errors.ts";
import { isInCidr } from "../../linux/addresses.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import type { DnsmasqLease } from "../../linux/dnsmasq-leases.ts";
import { isAlive, type ProcessIdentity } from "../../linux/process-table.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";
import type { LeaseControl } from "../lease-control.ts";
import type { DesiredFiles } from "./desired-files.ts";
import { isLeaseKept, ownersOf } from "./lease-owners.ts";
import { countServingHosts, isTakenOverPort, seedLeases } from "./lease-seed.ts";
import type { NetworkFiles } from "./network-files.ts";
import { allServers6, buildRelease4, buildRelease6, type ReleasePacket, sendReleases } from "./release.ts";
import { waitUntilSettled } from "./server-settled.ts";

export interface LeaseWork {
  readonly desired: DesiredDhcp;
  readonly files: NetworkFiles;
  readonly target: DesiredFiles;
  /** Addresses that lost their owner; undefined when that is not known. */
  readonly freed: readonly string[] | undefined;
}

export interface LeaseCleanerDeps {
  readonly runner: CommandRunner;
  readonly control?: LeaseControl | undefined;
}

const attempts = 3;
const attemptMs = 400;
/** No wait for a server that is busy is longer; a reconcile has one before each of its looks that decide. */
const settleMs = 2000;

function keptTest(work: LeaseWork): (lease: DnsmasqLease) => boolean {
  const owners = ownersOf(work.target.hostLines);
  const freed = new Set(work.freed);
  return (lease) => isLeaseKept(lease, owners, freed);
}

export class LeaseCleaner {
  readonly #deps: LeaseCleanerDeps;

  constructor(deps: LeaseCleanerDeps) {
    this.#deps = deps;
  }

  /** Before a start: the file is nobody's, so it is just written. */
  prepare(work: LeaseWork): void {
    const { hostLines } = work.target;
    const isTakenOver = isTakenOverPort(work.desired.dhcpPort);
    const isShared = countServingHosts(work.desired.view) > 1;
    work.files.changeLeases((previous) => seedLeases({ previous, isKept: keptTest(work), hostLines, isTakenOver, isShared }));
  }

  /**
   * From a running server that has been told of its new files: never before, else the old owner could renew between the
   * two. Nothing is looked at when no address has lost its owner.
   *
   * @returns false when leases stay that should go: a restart will do what the server did not
   * @throws UNAVAILABLE when the server is too busy to tell; call again
   */
  async release(work: LeaseWork, server: ProcessIdentity): Promise<boolean> {
    if (work.freed !== undefined && (await this.#deleteFreed(work, work.freed))) return true;
    await settle(server);
    const isKept = keptTest(work);
    const stale = (): readonly DnsmasqLease[] => work.files.readLeases().filter((one) => !isKept(one));
    // One that has died obeys nobody, and its network waits for the next.
    for (let attempt = 0; attempt < attempts && isAlive(server); attempt += 1) {
      const leases = stale();
      const left = new Set(
        await this.#deleteAll(
          work,
          leases.map((lease) => lease.ipAddress),
        ),
      );
      // What the server claims to have done over the bus and has not is asked of it once more as by the client.
      if (left.size > 0 || attempt > 0) await this.#sendPackets(work, leases);
      for (const endsAtMs = performance.now() + attemptMs; isAlive(server); await delay(10)) {
        const isOver = performance.now() >= endsAtMs;
        if (!isOver && stale().length > 0) continue;
        // On a busy host it may not have come to it yet: what it has not done when it sleeps, it will not do. And it writes its
        // file in place, so that a lease is missing for a moment that is there again when it sleeps.
        await settle(server);
        if (stale().length === 0) return true;
        if (isOver) break;
      }
    }
    return false;
  }

  /** The server writes its file before it answers over the bus, so one look says whether they are gone. */
  async #deleteFreed(work: LeaseWork, freed: readonly string[]): Promise<boolean> {
    if ((await this.#deleteAll(work, freed)).length > 0) return false;
    if (!work.files.mentionsLease(freed)) return true;
    // Mostly the new owner's, who was quick.
    const isKept = keptTest(work);
    return work.files.readLeases().every((lease) => !freed.includes(lease.ipAddress) || isKept(lease));
  }

  /** @returns those addresses whose lease could not be reached over the bus */
  async #deleteAll(work: LeaseWork, addresses: readonly string[]): Promise<readonly string[]> {
    const { control } = this.#deps;
    if (control === undefined) return addresses;
    const { id } = work.desired.view.network;
    const answers = await Promise.all(addresses.map((address) => control.deleteLease(id, address)));
    return addresses.filter((_, index) => answers[index] === undefined);
  }

  async #sendPackets(work: LeaseWork, leases: readonly DnsmasqLease[]): Promise<void> {
    const duid = work.files.readServerDuid();
    const packets = leases.flatMap((lease, index) => packetFor(work.desired, lease, duid, index + 1) ?? []);
    const { namespace, interfaceName } = work.desired.device;
    if (packets.length > 0) await sendReleases({ runner: this.#deps.runner, namespace, interfaceName }, packets);
  }
}

async function settle(server: ProcessIdentity): Promise<void> {
  if (await waitUntilSettled(server, settleMs)) return;
  throw new NetloomError("UNAVAILABLE", "dnsmasq is busy, leases will be released later", { pid: server.pid });
}

/** `undefined` for a lease of a subnet that this agent has left: nobody there would take the packet. */
function packetFor(
  desired: DesiredDhcp,
  lease: DnsmasqLease,
  serverDuid: string | undefined,
  transactionId: number,
): ReleasePacket | undefined {
  if (lease.ipVersion === 6) {
    if (serverDuid === undefined || lease.clientId === null) return undefined;
    return { destination: allServers6, bytes: buildRelease6(lease, serverDuid, transactionId) };
  }
  const subnet = desired.view.subnets.find((one) => one.ipVersion === 4 && isInCidr(one.cidr, lease.ipAddress));
  const destination = desired.dhcpPort.fixedIps.find((ip) => ip.subnetId === subnet?.id)?.ipAddress;
  return destination === undefined ? undefined : { destination, bytes: buildRelease4(lease, destination, transactionId) };
}
