// A driver that is meant to be killed: applies one random set of ports after the other, as fast as it can.
import { DnsmasqDriver } from "../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import type { DesiredDhcp } from "../../src/drivers/dhcp-driver.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import type { LeaseMode } from "./dhcp-bench.ts";
import { openLeaseWay } from "./lease-way.ts";
import { createRandom } from "./random.ts";

interface ChurnInput {
  readonly stateDir: string;
  readonly desired: DesiredDhcp;
  readonly seed: number;
  readonly leaseMode: LeaseMode;
}

process.once("message", (message: ChurnInput) => {
  void churn(message);
});

async function churn({ stateDir, desired, seed, leaseMode }: ChurnInput): Promise<void> {
  const leases = await openLeaseWay(leaseMode, stateDir, desired.view.network.id);
  const driver = new DnsmasqDriver({ runner: processRunner(), stateDir, log: silentLogger, leases });
  const random = createRandom(seed);
  for (;;) {
    const ports = desired.view.ports.filter(() => random.next() < 0.6);
    await driver.apply({ ...desired, view: { ...desired.view, ports } });
    process.send?.("applied");
  }
}
