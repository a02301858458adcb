// `netloom server`: settings, start, and an orderly end.
import { createLogger, type Logger } from "../base/logger.ts";
import { loadServerConfig } from "../config/server-config.ts";
import { type RunningServer, startServer } from "./server.ts";

const stopLimitMs = 4500;

/**
 * Returns when it serves; the process ends by a signal. What stands in its way is thrown, and told by whoever runs programs.
 *
 * @param argv flags of `netloom server`
 */
export async function main(argv: readonly string[]): Promise<void> {
  const config = await loadServerConfig(argv);
  const log = createLogger(config.logLevel, { agent: "server", host: config.host });
  const server = await startServer(config, log);
  stopOnSignal(server, config.api.drainMs, log);
  log.info({ outcome: server.url }, "server is ready");
  process.send?.({ type: "ready", url: server.url });
}

function stopOnSignal(server: RunningServer, drainMs: number, log: Logger): void {
  let isStopping = false;
  const stop = (outcome: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ outcome }, "server is stopping");
    const limit = setTimeout(() => process.exit(0), stopLimitMs + drainMs);
    void server.close().then(() => {
      clearTimeout(limit);
      process.exit(0);
    });
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  // A supervisor that died told nobody; the end of its channel does.
  process.on("disconnect", () => stop("parent gone"));
}
