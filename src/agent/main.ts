// `netloom dhcp-agent`: this is the DHCP agent of one host. It chooses the parts; agent-program.ts puts them together.
import { systemClock } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { loadDhcpAgentConfig } from "../config/dhcp-agent-config.ts";
import { DeviceManager } from "../device-manager/device-manager.ts";
import { chooseInterfaceDriver } from "../device-manager/interface-drivers.ts";
import { DnsmasqDriver } from "../drivers/dnsmasq/dnsmasq-driver.ts";
import { toDnsmasqOptions } from "../drivers/dnsmasq/dnsmasq-options.ts";
import { readFeatures } from "../drivers/dnsmasq/dnsmasq-version.ts";
import { readKnownLeases } from "../lease-relay/known-leases.ts";
import { LeaseRelay, leaseScriptPath, leaseSocketPath } from "../lease-relay/lease-relay.ts";
import { processRunner } from "../linux/command-runner.ts";
import { ForkServer } from "../linux/fork-server.ts";
import { Stop } from "../runtime/stop.ts";
import { systemTimers } from "../runtime/timers.ts";
import { connectAgentBus } from "./agent-bus.ts";
import { lockAgent } from "./agent-lock.ts";
import { startAgent } from "./agent-program.ts";
import { checkPreflight } from "./preflight.ts";
import { rememberVersion } from "./version-memory.ts";

/** @param argv flags of `netloom dhcp-agent`; throws NetloomError when it cannot start. */
export async function main(argv: readonly string[]): Promise<void> {
  const settings = await loadDhcpAgentConfig(argv);
  const { host, stateDir, namespacePrefix } = settings;
  checkPreflight({ uid: process.getuid?.(), searchPath: process.env["PATH"] ?? "" });
  const runner = new ForkServer(processRunner());
  const lock = await lockAgent(stateDir, { version: 1, host, namespacePrefix });
  const undo = (thrown: unknown): Promise<never> => lock.undo().then(() => Promise.reject(thrown));
  const features = await readFeatures(rememberVersion(runner, stateDir)).catch(undo);
  const log = createLogger(settings.logLevel, { agent: "dhcp-agent", host });
  const parts = { log, clock: systemClock, timers: systemTimers, runner, stateDir };
  for (const reason of features.warnings) log.warn({ reason }, "dnsmasq has limits");
  const stop = new Stop({ ...parts, exit: (code) => process.exit(code) });
  stop.listen(process);
  stop.onStop("lock", () => lock.release());
  stop.onStop("fork server", () => runner.close());
  const bus = await connectAgentBus(settings, log).catch(undo);
  const leaseOptions = { leaseScript: leaseScriptPath, leaseSocket: leaseSocketPath(stateDir) };
  const driver = new DnsmasqDriver({ ...parts, features, options: { ...toDnsmasqOptions(settings.dhcp), ...leaseOptions } });
  const deviceManager = new DeviceManager({
    ...parts,
    host,
    namespacePrefix,
    interfaceDriver: chooseInterfaceDriver(settings),
  });
  const leases = new LeaseRelay(parts);
  const known = () => readKnownLeases(stateDir, Date.now());
  const { ready } = await startAgent({ ...parts, settings, bus, driver, deviceManager, leases, readKnownLeases: known, stop });
  await ready;
  process.send?.({ type: "ready" });
}
