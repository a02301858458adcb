// A real PostgreSQL of the test process's own: a cluster in a temporary directory, reached through a Unix socket only.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import pg from "pg";
import { endOf } from "./children.ts";
import { waitFor } from "./wait-for.ts";

export interface TestPostgres {
  /** A database that nobody has used before. */
  createDatabase(): Promise<string>;
  close(): Promise<void>;
}

/** Debian keeps the server's programs off the PATH. */
function findProgram(name: string): string | undefined {
  const onPath = (process.env["PATH"] ?? "").split(delimiter);
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  return [...onPath, ...versions].map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** Why there can be no PostgreSQL here; `undefined` when there can. */
export function whyNoPostgres(): string | undefined {
  if (findProgram("initdb") !== undefined && findProgram("postgres") !== undefined) return undefined;
  return "PostgreSQL is not installed (Debian: apt-get install postgresql)";
}

const nobody = 65534;
const isRoot = process.getuid?.() === 0;

/** PostgreSQL refuses root; and nothing may outlive a test process that is killed, so the kernel ends it with us. */
function asServerUser(command: readonly string[]): readonly string[] {
  const identity = isRoot ? [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] : [];
  return ["setpriv", ...identity, "--pdeathsig=INT", ...command];
}

function start(command: readonly string[], directory: string): ChildProcess {
  const [program = "", ...args] = asServerUser(command);
  return spawn(program, args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
}

async function run(command: readonly string[], directory: string): Promise<void> {
  const child = start(command, directory);
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [exitCode] = (await once(child, "exit")) as [number | null];
  if (exitCode !== 0) throw new Error(`${command[0]} exited with ${exitCode}: ${said}`);
}

/** No write needs to survive a power cut here; that makes creating a database three times as fast. */
const quick = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"];

/** @param looksAfterItself as every installation does; what lives for a test only is quicker without */
export async function startPostgres(looksAfterItself = false): Promise<TestPostgres> {
  // Not below the user's TMPDIR: a socket's path has at most 107 bytes.
  const directory = await mkdtemp("/tmp/netloom-pg-");
  const data = join(directory, "data");
  await mkdir(data, { mode: 0o700 });
  if (isRoot) for (const path of [directory, data]) await chown(path, nobody, nobody);
  const initdb = findProgram("initdb") ?? "initdb";
  await run([initdb, "-D", data, "-U", "netloom", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], directory);
  const settings = [
    ...quick,
    `autovacuum=${looksAfterItself ? "on" : "off"}`,
    `unix_socket_directories=${directory}`,
    "listen_addresses=",
    "max_connections=100",
  ];
  const server = start(
    [findProgram("postgres") ?? "postgres", "-D", data, ...settings.flatMap((one) => ["-c", one])],
    directory,
  );
  let said = "";
  server.stderr?.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const urlOf = (database: string): string => `postgres://netloom@/${database}?host=${encodeURIComponent(directory)}`;
  const close = async (): Promise<void> => {
    await endOf(server, "SIGINT");
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await waitFor(() => command(urlOf("postgres"), "select 1"), { limitMs: 15_000, what: "PostgreSQL to answer" });
  } catch (thrown) {
    await close();
    throw new Error(`PostgreSQL did not start: ${said}`, { cause: thrown });
  }
  return {
    async createDatabase() {
      const name = `t${randomBytes(6).toString("hex")}`;
      await command(urlOf("postgres"), `create database ${name}`);
      return urlOf(name);
    },
    close,
  };
}

async function command(url: string, statement: string): Promise<true> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(statement);
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}
