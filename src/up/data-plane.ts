// Removes what `netloom up` made in the kernel, by the marks in the state directory: nothing without our mark is touched.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { DeviceManager } from "../device-manager/device-manager.ts";
import { DnsmasqDriver } from "../drivers/dnsmasq/dnsmasq-driver.ts";
import { KeepalivedDriver } from "../drivers/keepalived/keepalived-driver.ts";
import { NftRouterDriver } from "../drivers/nft-router/nft-router-driver.ts";
import { endBusProcess } from "../lease-bus/bus-process.ts";
import { processRunner } from "../linux/command-runner.ts";
import { NamespaceWorker } from "../linux/namespace-worker.ts";
import { NftShellPool } from "../linux/nft-shell-pool.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import type { NetworkId, RouterId } from "../model/ids.ts";
import { unplugPort } from "../vif/vif.ts";
import { listVifPorts } from "../vif/vif-record.ts";
import type { Marker } from "../config/state-marker.ts";

const concurrency = 4;
const endLimitMs = 15_000;

export interface RemovedDataPlane {
  readonly networks: number;
  readonly routers: number;
  readonly interfaces: number;
}

export async function removeDataPlane(stateDir: string, marker: Marker, log: Logger): Promise<RemovedDataPlane> {
  const runner = processRunner();
  const plugged = await listVifPorts(stateDir);
  for (const portId of plugged) await unplugPort({ runner, stateDir, portId });
  const driver = new DnsmasqDriver({ runner, stateDir, log });
  const devices = new DeviceManager({ runner, stateDir, host: marker.host, namespacePrefix: marker.namespacePrefix });
  const networks = [...new Set([...(await driver.list()), ...(await devices.list())])];
  const failures: unknown[] = [];
  const routers = await removeRouters(stateDir, marker, (routerId, err) => {
    log.error({ routerId, err }, "router not removed");
    failures.push(err);
  });
  const removeNetwork = async (id: NetworkId): Promise<void> => {
    // dnsmasq first: in a namespace that is gone it would keep running, unseen by `ip netns`.
    await endServer(driver, id);
    await devices.destroy(id);
  };
  await removeEach(networks, removeNetwork, (networkId, err) => {
    log.error({ networkId, err }, "network not removed");
    failures.push(err);
  });
  if (failures.length > 0) throw failures[0];
  // After its clients: a dnsmasq that loses it would only say so in the log.
  await endBusProcess(stateDir);
  await devices.settle();
  await devices.tidy();
  return { networks: networks.length, routers, interfaces: plugged.length };
}

type OnFailure<K> = (key: K, thrown: unknown) => void;

/** A few at a time; one that resists is no reason to leave the others. */
async function removeEach<K>(keys: readonly K[], remove: (key: K) => Promise<void>, onFailure: OnFailure<K>): Promise<void> {
  const waiting = keys.values();
  const lane = async (): Promise<void> => {
    for (const key of waiting) await remove(key).catch((thrown: unknown) => onFailure(key, thrown));
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

/** @returns how many there were */
async function removeRouters(stateDir: string, { namespacePrefix }: Marker, onFailure: OnFailure<RouterId>): Promise<number> {
  const [worker, nft] = [new NamespaceWorker(), new NftShellPool()];
  const runner = processRunner();
  const ha = new KeepalivedDriver({ stateDir, runner, advertMs: 1000 });
  const driver = new NftRouterDriver({ runner, worker, nft, stateDir, namespacePrefix, hasIpv6: hasIpv6(), ha });
  try {
    const routers = await driver.list();
    await removeEach(routers, (id) => driver.remove(id), onFailure);
    return routers.length;
  } finally {
    // With what it was keeping ready.
    await driver.close();
    await nft.close();
    await worker.close();
  }
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
