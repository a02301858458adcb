// `netloom up`: the server, this host's agents and a private nats-server as children of one process.
import { errorText, NetloomError } from "../base/errors.ts";
import { createLogger, type Logger } from "../base/logger.ts";
import { loadUpConfig, type UpConfig } from "../config/up-config.ts";
import type { Marker } from "../config/state-marker.ts";
import { removeDataPlane } from "./data-plane.ts";
import { endLeftOvers } from "./left-overs.ts";
import { requireFreePort, requireNats, requirePrograms, requireRoot } from "./preflight.ts";
import { checkStateDirectory, lockStateDirectory, type StateLock } from "./state-directory.ts";
import { Supervisor } from "./supervisor.ts";

/** @param argv flags of `netloom up` */
export async function main(argv: readonly string[]): Promise<void> {
  const config = await loadUpConfig(argv);
  const log = createLogger(config.logLevel, { agent: "up", host: config.host });
  const lock = await prepare(config, log);
  const supervisor = new Supervisor(config, log);
  const stop = stopOnSignal(supervisor, lock, log);
  try {
    const url = await Promise.race([supervisor.start(), stop.requested]);
    if (url !== undefined) process.stdout.write(`netloom is ready: ${url}\n`);
  } catch (thrown) {
    if (stop.isRequested()) return;
    await supervisor.stop();
    await undoFirstStart(config, lock, log);
    throw lock.isNew ? thrown : withLogFile(thrown);
  }
}

/** Everything that can be refused is looked at before anything is made; what was made for a refusal is undone. */
async function prepare(config: UpConfig, log: Logger): Promise<StateLock> {
  const { stateDir, host, namespacePrefix } = config;
  requireRoot("up");
  const needed = [
    "dnsmasq",
    "ip",
    "nft",
    "nsenter",
    "perl",
    ...(config.nats.url === undefined ? ["nats-server", "setpriv"] : []),
    ...(config.interfaceDriver === "openvswitch" ? ["ovs-vsctl"] : []),
  ];
  requirePrograms(needed, process.env["PATH"] ?? "");
  const marker: Marker = { version: 1, host, namespacePrefix };
  await checkStateDirectory(stateDir, marker);
  const lock = await lockStateDirectory(stateDir, marker);
  try {
    await endLeftOvers(stateDir, log);
    await requireFreePort(config.listen);
    if (config.nats.url !== undefined) await requireNats(config.nats.url);
    return lock;
  } catch (thrown) {
    await lock.release({ undo: true });
    throw thrown;
  }
}

/** Where more is to be read; after an undone start there is no such file. */
function withLogFile(thrown: unknown): unknown {
  if (!(thrown instanceof NetloomError) || typeof thrown.detail["logFile"] !== "string") return thrown;
  return new NetloomError(thrown.code, `${thrown.message} (see ${thrown.detail["logFile"]})`, thrown.detail, thrown);
}

/** A start that fails leaves what was there before: nothing at the first time, all that is served at a later one. */
async function undoFirstStart({ stateDir, host, namespacePrefix }: UpConfig, lock: StateLock, log: Logger): Promise<void> {
  if (lock.isNew) await removeDataPlane(stateDir, { version: 1, host, namespacePrefix }, log);
  await lock.release({ undo: lock.isNew });
}

interface StopRequest {
  /** Never rejects; resolves with nothing when somebody wants the end. */
  readonly requested: Promise<undefined>;
  isRequested(): boolean;
}

function stopOnSignal(supervisor: Supervisor, lock: StateLock, log: Logger): StopRequest {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let isRequested = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isRequested) return;
    isRequested = true;
    resolve(undefined);
    log.info({ outcome: signal }, "stopping");
    void supervisor
      .stop()
      .then(() => lock.release())
      .then(
        () => process.exit(0),
        (thrown: unknown) => {
          process.stderr.write(`netloom up: ${errorText(thrown)}\n`);
          process.exit(1);
        },
      );
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, onSignal);
  return { requested: promise, isRequested: () => isRequested };
}
