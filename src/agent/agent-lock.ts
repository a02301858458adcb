// One agent per state directory. The lock is a listening socket in the abstract name space: the kernel gives it back when
// its holder dies, however that happens, so that no stale lock can exist. A file beside it tells people who holds it.
import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { NetloomError } from "../base/errors.ts";

export interface AgentLock {
  release(): Promise<void>;
}

/** Throws CONFLICT while another process holds it. */
export async function lockAgent(stateDir: string): Promise<AgentLock> {
  const directory = await realpath(stateDir);
  const holderFile = join(directory, "run", "dhcp-agent.lock");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketName(directory), resolve);
  }).catch(async (thrown: unknown) => {
    const holder = await readFile(holderFile, "utf8").catch(() => "unknown pid");
    throw new NetloomError("CONFLICT", `another DHCP agent (${holder.trim()}) uses state directory ${stateDir}`, {}, thrown);
  });
  server.unref();
  await mkdir(join(directory, "run"), { recursive: true });
  await writeFile(holderFile, `pid ${process.pid}\n`);
  return {
    release: async () => {
      await rm(holderFile, { force: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Abstract names are limited to 107 bytes, paths are not. */
function socketName(directory: string): string {
  return `\0netloom-dhcp-agent-${createHash("sha256").update(directory).digest("hex")}`;
}
