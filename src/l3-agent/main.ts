// `netloom l3-agent`: this is the L3 agent of one host. It chooses the parts; l3-agent-program.ts puts them together.
import { flushCompileCache } from "node:module";
import { systemClock } from "../base/clock.ts";
import { createLogger, type Logger } from "../base/logger.ts";
import { type L3AgentConfig, loadL3AgentConfig } from "../config/l3-agent-config.ts";
import { chooseInterfaceDriver } from "../device-manager/interface-drivers.ts";
import { KeepalivedDriver } from "../drivers/keepalived/keepalived-driver.ts";
import { routerMetadataPort } from "../drivers/l3-layout.ts";
import { NftFloatingIpDriver } from "../drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { NftRouterDriver } from "../drivers/nft-router/nft-router-driver.ts";
import { type CommandRunner, processRunner } from "../linux/command-runner.ts";
import { startFloatingIpAgentBeside } from "../floating-ip-agent/beside.ts";
import { ForkServer } from "../linux/fork-server.ts";
import { NamespaceWorker } from "../linux/namespace-worker.ts";
import { NftShellPool } from "../linux/nft-shell-pool.ts";
import { isInSearchPath } from "../linux/search-path.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import type { Bus } from "../messaging/bus.ts";
import { openRouterMetadataProxy } from "../metadata-proxy/open-proxy.ts";
import type { RouterMetadataProxy } from "../metadata-proxy/router-proxy.ts";
import { connectAgentBus } from "../runtime/agent-bus.ts";
import { lockAgent } from "../runtime/agent-lock.ts";
import { Stop } from "../runtime/stop.ts";
import { systemTimers } from "../runtime/timers.ts";
import { L3PluginApi } from "./l3-plugin-api.ts";
import { startL3Agent } from "./l3-agent-program.ts";
import { checkPreflight } from "./preflight.ts";

/** @param argv flags of `netloom l3-agent`; throws NetloomError when it cannot start. */
export async function main(argv: readonly string[]): Promise<void> {
  const settings = await loadL3AgentConfig(argv);
  const { host, stateDir, namespacePrefix, l3 } = settings;
  const searchPath = process.env["PATH"] ?? "";
  const limits = checkPreflight({ uid: process.getuid?.(), searchPath });
  const log = createLogger(settings.logLevel, { agent: "l3-agent", host });
  for (const reason of limits) log.warn({ reason }, "routers have limits");
  const lock = await lockAgent(stateDir, { version: 1, host, namespacePrefix }, "l3-agent");
  const stop = new Stop({ log, timers: systemTimers, exit: (code) => process.exit(code) });
  stop.listen(process);
  stop.onStop("lock", () => lock.release());
  const runner = new ForkServer(processRunner());
  stop.onStop("fork server", () => runner.close());
  const worker = new NamespaceWorker(undefined, { idleMs: workerIdleMs });
  stop.onStop("namespace worker", () => worker.close());
  worker.warm();
  const nft = new NftShellPool(settings.floatingIps.beside ? {} : { maxShells });
  stop.onStop("nft", () => nft.close());
  const bus = await connectAgentBus(settings, log, { role: "l3", program: "l3-agent" }).catch(async (thrown: unknown) => {
    await lock.undo();
    throw thrown;
  });
  const hasKeepalived = isInSearchPath("keepalived", searchPath);
  const hasRadvd = isInSearchPath("radvd", searchPath);
  const driver = new NftRouterDriver({
    ...{ runner, worker, nft, stateDir, namespacePrefix },
    ...{ bridgeMappings: l3.bridgeMappings, hasIpv6: hasIpv6(), hasRadvd },
    spares: l3.spareNamespaces,
    interfaceDriver: chooseInterfaceDriver(settings),
    ha: hasKeepalived ? new KeepalivedDriver({ stateDir, runner, advertMs: l3.haAdvertMs }) : undefined,
  });
  stop.onStop("driver", () => driver.close());
  const metadata = await openMetadata(settings, { runner, log, bus, stop });
  const capabilities = {
    metadata: metadata !== undefined,
    interface_driver: settings.interfaceDriver,
    bridge_mappings: Object.fromEntries(l3.bridgeMappings),
    router_advertisements: hasRadvd,
    high_availability: hasKeepalived,
  };
  const floatingIps = settings.floatingIps.beside
    ? await startFloatingIpAgentBeside({
        settings: { ...settings, nats: { url: settings.nats.url, nkeySeedFile: settings.floatingIps.nkeySeedFile } },
        driver: new NftFloatingIpDriver({ nft, worker, log }),
        ...{ log, clock: systemClock, timers: systemTimers, stop },
      })
    : undefined;
  const { ready } = await startL3Agent({
    settings: {
      ...settings,
      ...{ handleInternalOnlyRouters: l3.handleInternalOnlyRouters, haConfirmMs: l3.haAdvertMs, capabilities },
    },
    ...{ bus, driver, metadata, log, clock: systemClock, timers: systemTimers, stop },
    countForks: () => runner.commands + nft.starts + worker.starts,
  });
  await ready;
  void driver.prepare();
  await floatingIps?.ready;
  process.send?.({ type: "ready" });
  // Node writes it at an orderly exit; a successor of a killed agent should not have to compile everything again.
  flushCompileCache();
}

interface MetadataParts {
  readonly runner: CommandRunner;
  readonly log: Logger;
  readonly bus: Bus;
  readonly stop: Stop;
}

/** `undefined` when nobody is to be served. */
async function openMetadata(
  { host, l3, dhcp, metadata, availabilityZone }: L3AgentConfig,
  { runner, log, bus, stop }: MetadataParts,
): Promise<RouterMetadataProxy | undefined> {
  if (!l3.metadata) return undefined;
  const api = new L3PluginApi({ bus, host });
  const proxy = await openRouterMetadataProxy(metadata, {
    ...{ runner, log, port: routerMetadataPort, facts: { dnsDomain: dhcp.dnsDomain, availabilityZone } },
    lookUp: (routerId, ipAddress) => api.findInstance({ routerId, ipAddress }),
  });
  // Its listeners would hold up the end.
  stop.onStop("metadata", () => proxy.close());
  return proxy;
}

/** An nft takes 1.7 MB, and a router's rules seldom change once it is made; where floating IPs are changed too, the pool is larger. */
const maxShells = 16;
/** A router must not wait for the worker's start; it takes some 5 MB. */
const workerIdleMs = 600_000;
