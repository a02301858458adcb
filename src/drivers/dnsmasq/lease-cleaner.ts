// Takes leases away from clients that no longer own the address.
import { setTimeout as delay } from "node:timers/promises";
import { isInCidr } from "../../linux/addresses.ts";
import type { CommandRunner } from "../../linux/command-runner.ts";
import type { DnsmasqLease } from "../../linux/dnsmasq-leases.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";
import type { DesiredFiles } from "./desired-files.ts";
import { isLeaseKept, movedAddresses, ownersOf } from "./lease-owners.ts";
import type { NetworkFiles } from "./network-files.ts";
import type { LoadedFiles } from "./plan.ts";
import { sendReleases } from "./release.ts";

export interface LeaseWork {
  readonly desired: DesiredDhcp;
  readonly files: NetworkFiles;
  readonly target: DesiredFiles;
  /** What was in force before; undefined when that is not known. */
  readonly loaded: LoadedFiles | undefined;
}

const attempts = 3;
const attemptMs = 400;

function keptTest(work: LeaseWork): (lease: DnsmasqLease) => boolean {
  const owners = ownersOf(work.target.hostLines);
  const moved = movedAddresses(ownersOf(work.loaded?.hostLines ?? []), owners);
  return (lease) => isLeaseKept(lease, owners, moved);
}

export class LeaseCleaner {
  readonly #runner: CommandRunner;

  constructor(runner: CommandRunner) {
    this.#runner = runner;
  }

  /** Before a start: the file is nobody's, so the lines are just left out. */
  async prune(work: LeaseWork): Promise<void> {
    await work.files.filterLeases(keptTest(work));
  }

  /**
   * From a running server.
   *
   * @returns false when leases stay that should go: a restart will do what the server did not
   */
  async release(work: LeaseWork): Promise<boolean> {
    const isKept = keptTest(work);
    const stale = async (): Promise<readonly DnsmasqLease[]> => (await work.files.readLeases()).filter((one) => !isKept(one));
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const leases = await stale();
      if (leases.length === 0) return true;
      const releases = leases.flatMap((lease) => {
        const serverAddress = serverAddressFor(work.desired, lease);
        return serverAddress === undefined ? [] : [{ lease, serverAddress }];
      });
      // DHCPv6 leases, and those of a subnet that this agent has left.
      if (releases.length < leases.length) return false;
      const { namespace, interfaceName } = work.desired.device;
      await sendReleases({ runner: this.#runner, namespace, interfaceName }, releases);
      const endsAt = performance.now() + attemptMs;
      while (performance.now() < endsAt) {
        if ((await stale()).length === 0) return true;
        await delay(10);
      }
    }
    return false;
  }
}

/** This agent's own address on the lease's subnet: what dnsmasq there calls itself. */
function serverAddressFor(desired: DesiredDhcp, lease: DnsmasqLease): string | undefined {
  if (lease.ipVersion !== 4) return undefined;
  const subnet = desired.view.subnets.find((one) => one.ipVersion === 4 && isInCidr(one.cidr, lease.ipAddress));
  return desired.dhcpPort.fixedIps.find((ip) => ip.subnetId === subnet?.id)?.ipAddress;
}
