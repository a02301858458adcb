// `netloom l3-agent`: this is the L3 agent of one host. It chooses the parts; l3-agent-program.ts puts them together.
import { flushCompileCache } from "node:module";
import { systemClock } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { loadL3AgentConfig } from "../config/l3-agent-config.ts";
import { chooseInterfaceDriver } from "../device-manager/interface-drivers.ts";
import { NftRouterDriver } from "../drivers/nft-router/nft-router-driver.ts";
import { processRunner } from "../linux/command-runner.ts";
import { ForkServer } from "../linux/fork-server.ts";
import { NamespaceWorker } from "../linux/namespace-worker.ts";
import { NftShellPool } from "../linux/nft-shell-pool.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import { connectAgentBus } from "../runtime/agent-bus.ts";
import { lockAgent } from "../runtime/agent-lock.ts";
import { Stop } from "../runtime/stop.ts";
import { systemTimers } from "../runtime/timers.ts";
import { startL3Agent } from "./l3-agent-program.ts";
import { checkPreflight } from "./preflight.ts";

/** @param argv flags of `netloom l3-agent`; throws NetloomError when it cannot start. */
export async function main(argv: readonly string[]): Promise<void> {
  const settings = await loadL3AgentConfig(argv);
  const { host, stateDir, namespacePrefix, l3 } = settings;
  const limits = checkPreflight({ uid: process.getuid?.(), searchPath: process.env["PATH"] ?? "" });
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
  const nft = new NftShellPool();
  stop.onStop("nft", () => nft.close());
  const bus = await connectAgentBus(settings, log, { role: "l3", program: "l3-agent" }).catch(async (thrown: unknown) => {
    await lock.undo();
    throw thrown;
  });
  const driver = new NftRouterDriver({
    ...{ runner, worker, nft, stateDir, namespacePrefix },
    ...{ bridgeMappings: l3.bridgeMappings, hasIpv6: hasIpv6(), hasRadvd: limits.length === 0 },
    interfaceDriver: chooseInterfaceDriver(settings),
  });
  stop.onStop("driver", () => driver.close());
  const capabilities = {
    interface_driver: settings.interfaceDriver,
    bridge_mappings: Object.fromEntries(l3.bridgeMappings),
    router_advertisements: limits.length === 0,
  };
  const { ready } = await startL3Agent({
    settings: { ...settings, handleInternalOnlyRouters: l3.handleInternalOnlyRouters, capabilities },
    ...{ bus, driver, log, clock: systemClock, timers: systemTimers, stop },
    countForks: () => runner.commands + nft.starts + worker.starts,
  });
  await ready;
  process.send?.({ type: "ready" });
  // Node writes it at an orderly exit; a successor of a killed agent should not have to compile everything again.
  flushCompileCache();
}

/** A router must not wait for the worker's start; it takes some 5 MB. */
const workerIdleMs = 600_000;
