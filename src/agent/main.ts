// `netloom dhcp-agent`: this is the DHCP agent of one host. It chooses the parts; agent-program.ts puts them together.
import { flushCompileCache } from "node:module";
import { systemClock } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { NetworkCache } from "../cache/network-cache.ts";
import { type DhcpAgentConfig, loadDhcpAgentConfig } from "../config/dhcp-agent-config.ts";
import { DeviceManager } from "../device-manager/device-manager.ts";
import { chooseInterfaceDriver } from "../device-manager/interface-drivers.ts";
import { DnsmasqDriver } from "../drivers/dnsmasq/dnsmasq-driver.ts";
import { toDnsmasqOptions } from "../drivers/dnsmasq/dnsmasq-options.ts";
import { readFeatures } from "../drivers/dnsmasq/dnsmasq-version.ts";
import { chooseLeaseWays } from "../leases/lease-ways.ts";
import { processRunner } from "../linux/command-runner.ts";
import { ForkServer } from "../linux/fork-server.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import { openMetadataProxy, type ProxyParts } from "../metadata-proxy/open-proxy.ts";
import { Stop } from "../runtime/stop.ts";
import { systemTimers } from "../runtime/timers.ts";
import { connectAgentBus } from "../runtime/agent-bus.ts";
import { lockAgent } from "../runtime/agent-lock.ts";
import { startAgent } from "./agent-program.ts";
import { createMetadataService, wantsMetadata } from "./metadata-service.ts";
import type { MetadataService } from "./network-helpers.ts";
import { checkPreflight } from "./preflight.ts";
import { rememberVersion } from "./version-memory.ts";

/** @param argv flags of `netloom dhcp-agent`; throws NetloomError when it cannot start. */
export async function main(argv: readonly string[]): Promise<void> {
  const settings = await loadDhcpAgentConfig(argv);
  const { host, stateDir, namespacePrefix } = settings;
  const searchPath = process.env["PATH"] ?? "";
  checkPreflight({ uid: process.getuid?.(), searchPath, usesOvs: settings.interfaceDriver === "openvswitch" });
  const runner = new ForkServer(processRunner());
  const lock = await lockAgent(stateDir, { version: 1, host, namespacePrefix });
  const undo = (thrown: unknown): Promise<never> => lock.undo().then(() => Promise.reject(thrown));
  const features = await readFeatures(rememberVersion(runner, stateDir)).catch(undo);
  const log = createLogger(settings.logLevel, { agent: "dhcp-agent", host });
  const parts = { log, clock: systemClock, timers: systemTimers, runner, stateDir };
  const { leaseEvents: mode, leaseSeconds } = settings.dhcp;
  const leaseChoice = { ...parts, mode, hasDbus: features.hasDbus, searchPath, areLeasesFinite: leaseSeconds !== -1 };
  const leases = await chooseLeaseWays(leaseChoice).catch(undo);
  for (const reason of features.warnings) log.warn({ reason }, "dnsmasq has limits");
  const stop = new Stop({ ...parts, exit: (code) => process.exit(code) });
  stop.listen(process);
  stop.onStop("lock", () => lock.release());
  stop.onStop("fork server", () => runner.close());
  const bus = await connectAgentBus(settings, log).catch(undo);
  const options = { ...toDnsmasqOptions(settings.dhcp), ...leases.script };
  const driver = new DnsmasqDriver({ ...parts, features, leases: leases.control, options });
  const deviceManager = new DeviceManager({
    ...parts,
    host,
    namespacePrefix,
    interfaceDriver: chooseInterfaceDriver(settings),
    areInstancesRouted: settings.dhcp.bridgeAliases.length > 0,
  });
  const cache = new NetworkCache(parts);
  const metadata = await openMetadata(settings, { ...parts, cache, stop });
  const capabilities = {
    dnsmasq_version: features.version,
    interface_driver: settings.interfaceDriver,
    physical_networks: settings.physicalNetworks,
    metadata: metadata !== undefined,
  };
  const { ready } = await startAgent({
    ...{ ...parts, settings: { ...settings, capabilities }, bus, driver, deviceManager, leases: leases.source, stop },
    ...{ cache, metadata, countForks: () => runner.commands },
  });
  await ready;
  process.send?.({ type: "ready" });
  // Node writes it at an orderly exit; a successor of a killed agent should not have to compile everything again.
  flushCompileCache();
}

/** `undefined` when nobody is to be served. Its listeners are closed when the agent ends: they would hold it up. */
async function openMetadata(
  { metadata, dhcp, availabilityZone }: DhcpAgentConfig,
  { cache, stop, ...parts }: ProxyParents,
): Promise<MetadataService | undefined> {
  if (!wantsMetadata(metadata)) return undefined;
  const facts = { dnsDomain: dhcp.dnsDomain, availabilityZone };
  const proxy = await openMetadataProxy(metadata, { ...parts, facts, views: () => cache.views() });
  stop.onStop("metadata", () => proxy.close());
  return createMetadataService(proxy, { ...metadata, hasIpv6: hasIpv6() });
}

interface ProxyParents extends Omit<ProxyParts, "facts" | "views"> {
  readonly cache: NetworkCache;
  readonly stop: Stop;
}
