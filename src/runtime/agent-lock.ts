// One agent of each kind per state directory. The lock is a listening socket in the abstract name space: the kernel gives it back when
// its holder dies, however that happens, so that no stale lock can exist. A file beside it tells people who holds it.
import { createHash } from "node:crypto";
import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errorText, NetloomError } from "../base/errors.ts";
import { type Marker, markerFile, readMarker } from "../config/state-marker.ts";
import { writeFileAtomic } from "../linux/atomic-file.ts";

/** Names for people, as the API calls them. */
const agentNames = {
  "dhcp-agent": "DHCP agent",
  "l3-agent": "L3 agent",
  "floating-ip-agent": "floating IP agent",
} as const;
export type AgentProgram = keyof typeof agentNames;

export interface AgentLock {
  release(): Promise<void>;
  /** Releases, and removes the directories that taking the lock has made. */
  undo(): Promise<void>;
}

/**
 * Throws CONFLICT while another process holds it, FORBIDDEN where the directory cannot be written to.
 *
 * @param program `dhcp-agent` and the like; agents of different kinds share a state directory
 * @param marker written when there is none, so that `port plug` and `down` know the directory for one of ours
 */
export async function lockAgent(stateDir: string, marker: Marker, program: AgentProgram = "dhcp-agent"): Promise<AgentLock> {
  const runDirectory = join(stateDir, "run");
  const made = await makeDirectories(runDirectory).catch(notWritable(stateDir));
  const holderFile = join(runDirectory, `${program}.lock`);
  const server = await listen(socketName(program, await realpath(stateDir))).catch(async (thrown: unknown) => {
    const holder = await readFile(holderFile, "utf8").catch(() => "unknown pid");
    throw new NetloomError(
      "CONFLICT",
      `another ${agentNames[program]} (${holder.trim()}) uses state directory ${stateDir}`,
      {},
      thrown,
    );
  });
  await writeFile(holderFile, `pid ${process.pid}\n`).catch(notWritable(stateDir));
  const isMarked = (await readMarker(stateDir)) !== undefined;
  if (!isMarked) await writeFileAtomic(markerFile(stateDir), `${JSON.stringify(marker)}\n`).catch(notWritable(stateDir));
  const release = async (): Promise<void> => {
    await rm(holderFile, { force: true });
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    release,
    undo: async () => {
      await release();
      if (!isMarked) await rm(markerFile(stateDir), { force: true });
      if (made !== undefined) await rm(made, { recursive: true, force: true });
    },
  };
}

const notWritable =
  (stateDir: string) =>
  (thrown: unknown): never => {
    throw new NetloomError("FORBIDDEN", `state directory ${stateDir} is not writable: ${errorText(thrown)}`, {}, thrown);
  };

async function listen(name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(name, resolve);
  });
  // Holding a lock is no reason to live.
  server.unref();
  return server;
}

/** Abstract names are limited to 107 bytes, paths are not. */
function socketName(program: AgentProgram, directory: string): string {
  return `\0netloom-${program}-${createHash("sha256").update(directory).digest("hex")}`;
}
