// `netloom down`: ends a running `up` of a state directory, removes its data plane and its files. Running it again is fine.
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { NetloomError } from "../base/errors.ts";
import { createLogger } from "../base/logger.ts";
import { type DownConfig, loadDownConfig } from "../config/down-config.ts";
import { readMarker } from "../config/state-marker.ts";
import { isErrno } from "../linux/atomic-file.ts";
import { terminate } from "../linux/process-table.ts";
import { removeDataPlane } from "./data-plane.ts";
import { endLeftOvers } from "./left-overs.ts";
import { requirePrograms, requireRoot } from "./preflight.ts";
import { layout, lockStateDirectory, readHolder } from "./state-directory.ts";

/** `up` promises to be gone after 5 s. */
const upGraceMs = 8000;

/** @param argv flags of `netloom down` */
export async function main(argv: readonly string[]): Promise<void> {
  const config = await loadDownConfig(argv);
  requireRoot("down");
  const { stateDir } = config;
  if ((await stat(stateDir).catch(() => undefined)) === undefined) {
    process.stdout.write(`nothing to remove: ${stateDir} does not exist\n`);
    return;
  }
  const marker = await readMarker(stateDir);
  if (marker === undefined) {
    if ((await readdir(stateDir)).length > 0) {
      throw new NetloomError("CONFLICT", `${stateDir} was not made by netloom up (it has no .netloom): nothing was removed`);
    }
    process.stdout.write(`nothing to remove: ${stateDir} is empty\n`);
    return;
  }
  requirePrograms(["ip"], process.env["PATH"] ?? "");
  const log = createLogger("warn", { agent: "down", host: marker.host });
  const pid = await endUp(stateDir);
  const lock = await lockStateDirectory(stateDir, marker);
  try {
    await endLeftOvers(stateDir, log);
    const removed = await removeDataPlane(stateDir, marker, log);
    const parts = [
      ...(pid === undefined ? [] : [`netloom up (pid ${pid})`]),
      `${removed.networks} DHCP networks`,
      `${removed.routers} routers`,
      `${removed.interfaces} plugged interfaces`,
    ];
    await removeFiles(config);
    process.stdout.write(
      `removed ${parts.join(", ")} and ${config.keepData ? "all but the data of" : "everything in"} ${stateDir}\n`,
    );
  } finally {
    await lock.release();
  }
  if (!config.keepData) await removeEmptyDirectory(stateDir);
}

async function endUp(stateDir: string): Promise<number | undefined> {
  const holder = await readHolder(stateDir);
  if (holder === undefined) return undefined;
  await terminate(holder, upGraceMs);
  return holder.pid;
}

/** The marker goes last, so that a `down` that was killed can be repeated; the lock is held until after that. */
async function removeFiles(config: DownConfig): Promise<void> {
  const { stateDir, keepData } = config;
  const { lock, marker } = layout(stateDir);
  const kept = keepData ? ["netloom.db", "netloom.db-wal", "netloom.db-shm", "keys", "nats", ".netloom"] : [];
  const last = new Set([lock, marker]);
  for (const entry of await readdir(stateDir)) {
    const path = join(stateDir, entry);
    if (!last.has(path) && !kept.includes(entry)) await rm(path, { recursive: true, force: true });
  }
  if (!keepData) await rm(marker, { force: true });
}

/** A mount point or a directory of somebody else's making may refuse; it is empty then, which is what was asked for. */
async function removeEmptyDirectory(stateDir: string): Promise<void> {
  try {
    await rm(layout(stateDir).lock, { force: true });
    await rmdir(stateDir);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT", "ENOTEMPTY", "EBUSY", "EROFS")) throw thrown;
  }
}
