// The programs of one `netloom up`: started in parallel, kept running, ended in parallel.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { UpConfig } from "../config/up-config.ts";
import type { Role } from "../messaging/subjects.ts";
import { agentPrograms, type ProgramName } from "./agent-programs.ts";
import { PrivateNats, type SeedFiles } from "./private-nats.ts";
import { type NatsAccess, serverArguments } from "./program-arguments.ts";
import { ProgramProcess } from "./program-process.ts";
import { layout } from "./state-directory.ts";

/** Below the 5 s in which `up` itself must be gone. */
const graceMs = 4300;

interface Access {
  readonly server: NatsAccess;
  readonly agent: (role: Role) => NatsAccess;
}

export class Supervisor {
  readonly #config: UpConfig;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #nats: Promise<PrivateNats> | undefined;
  #programs: readonly ProgramProcess[] = [];

  constructor(config: UpConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** Resolves with the API's URL when it answers and the agents have synced; rejects with the first that cannot start. */
  async start(): Promise<string> {
    const access = await this.#natsAccess();
    if (this.#stopping.signal.aborted) throw new NetloomError("UNAVAILABLE", "stopped before it was ready");
    const server = this.#program("server", serverArguments(this.#config, access.server));
    const agents = agentPrograms.map(({ name, role, argumentsOf }) =>
      this.#program(name, argumentsOf(this.#config, access.agent(role))),
    );
    this.#programs = [server, ...agents];
    for (const program of this.#programs) program.start();
    const [ready] = await Promise.all([server.ready, ...agents.map((agent) => agent.ready)]);
    return ready.url ?? this.#listenUrl();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    void this.#nats?.then((nats) => nats.expectEnd()).catch(() => {});
    await Promise.all([...this.#programs.map((program) => program.stop(graceMs)), this.#stopNatsLast()]);
  }

  async #natsAccess(): Promise<Access> {
    const { nats, stateDir, host } = this.#config;
    if (nats.url !== undefined) {
      const access = { url: nats.url, seedFile: nats.nkeySeedFile };
      return { server: access, agent: () => access };
    }
    const onMoved = (to: string, as: SeedFiles): void => this.#follow(to, as);
    this.#nats = PrivateNats.start({ stateDir, host, log: this.#log, onMoved });
    const { url, seedFiles } = await this.#nats;
    return accessTo(url, seedFiles);
  }

  /** The programs know one address of NATS: when that had to change, they are started again with the new one. */
  #follow(url: string, seedFiles: SeedFiles): void {
    const [server, ...agents] = this.#programs;
    const access = accessTo(url, seedFiles);
    this.#log.warn({ outcome: url }, "nats-server moved to another port");
    server?.restartWith(serverArguments(this.#config, access.server));
    for (const [index, { role, argumentsOf }] of agentPrograms.entries()) {
      agents[index]?.restartWith(argumentsOf(this.#config, access.agent(role)));
    }
  }

  #program(name: ProgramName, args: readonly string[]): ProgramProcess {
    const paths = layout(this.#config.stateDir);
    const logFile = this.#config.foregroundLogs ? undefined : paths.logFile(name);
    return new ProgramProcess({ name, args, pidFile: paths.pidFile(name), logFile, log: this.#log });
  }

  /** The agent's last words go through NATS, so it gets a moment longer than the programs need at most. */
  async #stopNatsLast(): Promise<void> {
    const programsEnded = Promise.allSettled(this.#programs.map((program) => program.ended()));
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, graceMs / 2);
    await Promise.race([programsEnded, limit.promise]);
    clearTimeout(timer);
    const nats = await this.#nats?.catch(() => undefined);
    await nats?.stop();
  }

  #listenUrl(): string {
    const { address, port } = this.#config.listen;
    return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }
}

const accessTo = (url: string, { server, agents }: SeedFiles): Access => ({
  server: { url, seedFile: server },
  agent: (role) => ({ url, seedFile: agents.get(role) }),
});
