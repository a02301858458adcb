// The nats-server of `netloom up`: one user for the server, one for each agent of this host; started again when it dies.
import { once } from "node:events";
import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { ensureAgentCredential, ensureObserverCredential, ensureServerCredential } from "../messaging/credentials.ts";
import { type AgentUser, writeNatsConfig } from "../messaging/nats-config.ts";
import { endOrphanedNatsServer, type NatsServerProcess, startNatsServer } from "../messaging/nats-server-process.ts";
import type { Role } from "../messaging/subjects.ts";
import { agentPrograms } from "./agent-programs.ts";

const firstPauseMs = 100;
const longestPauseMs = 8000;

export const natsPaths = (stateDir: string) => ({
  directory: join(stateDir, "nats"),
  keys: join(stateDir, "keys"),
  configFile: join(stateDir, "nats", "nats-server.conf"),
});

/** Ends one that a killed `up` left behind. */
export function endLeftOverNats(stateDir: string): Promise<void> {
  const { directory, configFile } = natsPaths(stateDir);
  return endOrphanedNatsServer({ directory, configFile });
}

export interface SeedFiles {
  readonly server: string;
  readonly agents: ReadonlyMap<Role, string>;
}

export class PrivateNats {
  readonly seedFiles: SeedFiles;
  readonly #start: () => Promise<NatsServerProcess>;
  readonly #log: Logger;
  readonly #onMoved: (url: string, seedFiles: SeedFiles) => void;
  readonly #stopping = new AbortController();
  #running: NatsServerProcess;
  #watching: Promise<void>;

  private constructor(parts: {
    readonly seedFiles: SeedFiles;
    readonly start: () => Promise<NatsServerProcess>;
    readonly running: NatsServerProcess;
    readonly log: Logger;
    readonly onMoved: (url: string, seedFiles: SeedFiles) => void;
  }) {
    this.seedFiles = parts.seedFiles;
    this.#start = parts.start;
    this.#running = parts.running;
    this.#log = parts.log;
    this.#onMoved = parts.onMoved;
    this.#watching = this.#watch();
  }

  /** @param options.onMoved called when a restarted server could not have its old port again */
  static async start(options: {
    readonly stateDir: string;
    readonly host: string;
    readonly log: Logger;
    readonly onMoved: (url: string, seedFiles: SeedFiles) => void;
  }): Promise<PrivateNats> {
    const { stateDir, host, log, onMoved } = options;
    const { directory, keys } = natsPaths(stateDir);
    const server = await ensureServerCredential(keys);
    const agents: AgentUser[] = [];
    const seeds = new Map<Role, string>();
    for (const { role } of agentPrograms) {
      const { seedFile, publicKey } = await ensureAgentCredential(keys, role, host);
      agents.push({ role, host, publicKey });
      seeds.set(role, seedFile);
    }
    const { publicKey: observer } = await ensureObserverCredential(keys);
    const storeDir = join(directory, "jetstream");
    const configFile = await writeNatsConfig({ directory, port: -1, server: server.publicKey, agents, observer, storeDir });
    const start = (): Promise<NatsServerProcess> => startNatsServer({ directory, configFile, log });
    const seedFiles = { server: server.seedFile, agents: seeds };
    return new PrivateNats({ seedFiles, start, running: await start(), log, onMoved });
  }

  get url(): string {
    return this.#running.url;
  }

  /** From now on its end is nothing to repair: Ctrl-C and systemd signal it together with `up`. */
  expectEnd(): void {
    this.#stopping.abort();
  }

  async stop(): Promise<void> {
    this.expectEnd();
    await this.#running.stop();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#stopping.signal.aborted) {
      const { child } = this.#running;
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      if (this.#stopping.signal.aborted) return;
      this.#log.warn(
        { exitCode: child.exitCode, outcome: child.signalCode ?? "exited" },
        "nats-server ended and is started again",
      );
      pauseMs = (await this.#startAgain()) ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      await pause(pauseMs, this.#stopping.signal);
    }
  }

  async #startAgain(): Promise<boolean> {
    const before = this.#running.url;
    try {
      this.#running = await this.#start();
    } catch (err) {
      this.#log.error({ err }, "nats-server cannot be started");
      return false;
    }
    // Stopped while it was starting: `stop` saw only the dead one.
    if (this.#stopping.signal.aborted) await this.#running.stop();
    else if (this.#running.url !== before) this.#onMoved(this.#running.url, this.seedFiles);
    return true;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
