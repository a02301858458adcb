// `netloom server`: settings, start, and an orderly end.
import { errorText } from "../base/errors.ts";
import { createLogger, type Logger } from "../base/logger.ts";
import { loadServerConfig } from "../config/server-config.ts";
import { type RunningServer, startServer } from "./server.ts";

const stopLimitMs = 4500;

/** @param argv flags of `netloom server`. Returns when it serves; the process ends by a signal or with its parent. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const config = await loadServerConfig(argv);
    const log = createLogger(config.logLevel, { agent: "server", host: config.host });
    const server = await startServer(config, log);
    stopWithProcess(server, log);
    log.info({ outcome: server.url }, "server is ready");
    process.send?.({ type: "ready", url: server.url });
  } catch (thrown) {
    process.send?.({ type: "failed", message: errorText(thrown) });
    process.stderr.write(`netloom server: ${errorText(thrown)}\n`);
    process.exitCode = 1;
    // Whatever is half open (a parent's channel) must not keep a failed program alive.
    if (process.connected) process.disconnect();
  }
}

function stopWithProcess(server: RunningServer, log: Logger): void {
  let isStopping = false;
  const stop = (outcome: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ outcome }, "server is stopping");
    const limit = setTimeout(() => process.exit(0), stopLimitMs);
    void server.close().then(() => {
      clearTimeout(limit);
      process.exit(0);
    });
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  // The supervisor that started us is gone; what it would have told us nobody will.
  process.on("disconnect", () => stop("parent gone"));
}
