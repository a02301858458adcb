// `netloom floating-ip-agent`: floating IPs and port forwardings of the routers that the L3 agent of this host builds.
import { flushCompileCache } from "node:module";
import { systemClock } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { loadFloatingIpAgentConfig } from "../config/floating-ip-agent-config.ts";
import { NftFloatingIpDriver } from "../drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { NamespaceWatch } from "../linux/namespace-watch.ts";
import { NamespaceWorker } from "../linux/namespace-worker.ts";
import { NftShellPool } from "../linux/nft-shell-pool.ts";
import { connectAgentBus } from "../runtime/agent-bus.ts";
import { lockAgent } from "../runtime/agent-lock.ts";
import { checkFloatingIpPreflight } from "./preflight.ts";
import { Stop } from "../runtime/stop.ts";
import { systemTimers } from "../runtime/timers.ts";
import { startFloatingIpAgent } from "./agent-program.ts";

/** A single change must not wait for a start of perl. */
const workerIdleMs = 3_600_000;

/** @param argv flags of `netloom floating-ip-agent`; throws NetloomError when it cannot start. */
export async function main(argv: readonly string[]): Promise<void> {
  const settings = await loadFloatingIpAgentConfig(argv);
  const { host, stateDir, namespacePrefix } = settings;
  const searchPath = process.env["PATH"] ?? "";
  checkFloatingIpPreflight({ uid: process.getuid?.(), searchPath });
  const lock = await lockAgent(stateDir, { version: 1, host, namespacePrefix }, "floating-ip-agent");
  const log = createLogger(settings.logLevel, { agent: "floating-ip-agent", host });
  const stop = new Stop({ log, timers: systemTimers, exit: (code) => process.exit(code) });
  stop.listen(process);
  const watch = new NamespaceWatch();
  const nft = new NftShellPool({ maxShells: settings.nftProcesses, watch });
  const worker = new NamespaceWorker(searchPath, { idleMs: workerIdleMs });
  stop.onStop("lock", () => lock.release());
  stop.onStop("namespace watch", () => watch.close());
  stop.onStop("namespace worker", () => worker.close());
  stop.onStop("nft", () => nft.close());
  const identity = { role: "fip", program: "floating-ip-agent" } as const;
  const bus = await connectAgentBus(settings, log, identity).catch((thrown: unknown) =>
    lock.undo().then(() => Promise.reject(thrown)),
  );
  const { ready } = await startFloatingIpAgent({
    ...{ settings, bus, log, stop, clock: systemClock, timers: systemTimers },
    driver: new NftFloatingIpDriver({ nft, worker, log }),
    countStarts: () => nft.starts + worker.starts,
  });
  await ready;
  process.send?.({ type: "ready" });
  // Node writes it at an orderly exit; a successor of a killed agent should not have to compile everything again.
  flushCompileCache();
}
