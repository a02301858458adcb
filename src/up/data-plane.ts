// Removes what `netloom up` made in the kernel, by the marks in the state directory: nothing without our mark is touched.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { DeviceManager } from "../device-manager/device-manager.ts";
import { DnsmasqDriver } from "../drivers/dnsmasq/dnsmasq-driver.ts";
import { endBusProcess } from "../lease-bus/bus-process.ts";
import { processRunner } from "../linux/command-runner.ts";
import type { NetworkId } from "../model/ids.ts";
import { unplugPort } from "../vif/vif.ts";
import { listVifPorts } from "../vif/vif-record.ts";
import type { Marker } from "../config/state-marker.ts";

const concurrency = 4;
const endLimitMs = 15_000;

export interface RemovedDataPlane {
  readonly networks: number;
  readonly interfaces: number;
}

export async function removeDataPlane(stateDir: string, marker: Marker, log: Logger): Promise<RemovedDataPlane> {
  const runner = processRunner();
  const plugged = await listVifPorts(stateDir);
  for (const portId of plugged) await unplugPort({ runner, stateDir, portId });
  const driver = new DnsmasqDriver({ runner, stateDir, log });
  const devices = new DeviceManager({ runner, stateDir, host: marker.host, namespacePrefix: marker.namespacePrefix });
  const waiting = [...new Set([...(await driver.list()), ...(await devices.list())])];
  const networks = waiting.length;
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        // dnsmasq first: in a namespace that is gone it would keep running, unseen by `ip netns`.
        await endServer(driver, id);
        await devices.destroy(id);
      } catch (thrown) {
        // One that resists is no reason to leave the others.
        log.error({ networkId: id, err: thrown }, "network not removed");
        failures.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  if (failures.length > 0) throw failures[0];
  // After its clients: a dnsmasq that loses it would only say so in the log.
  await endBusProcess(stateDir);
  await devices.settle();
  return { networks, interfaces: plugged.length };
}

/** One attempt waits for a moment only; to the end of its grace a server that does not obey takes several. */
async function endServer(driver: DnsmasqDriver, id: NetworkId): Promise<void> {
  const endsAtMs = performance.now() + endLimitMs;
  for (;;) {
    try {
      return await driver.remove(id);
    } catch (thrown) {
      const isSlow = thrown instanceof NetloomError && thrown.code === "UNAVAILABLE";
      if (!isSlow || performance.now() >= endsAtMs) throw thrown;
    }
  }
}
