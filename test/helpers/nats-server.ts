// A real nats-server of the test's own: with users and permissions as `netloom up` makes them, or open to everybody.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/base/logger.ts";
import {
  type Credential,
  ensureAgentCredential,
  ensureObserverCredential,
  ensureServerCredential,
} from "../../src/messaging/credentials.ts";
import { connectBus, type NatsBus } from "../../src/messaging/nats-bus.ts";
import { writeNatsConfig } from "../../src/messaging/nats-config.ts";
import { type NatsServerProcess, startNatsServer } from "../../src/messaging/nats-server-process.ts";
import { inboxPrefix, type Role, serverInboxPrefix } from "../../src/messaging/subjects.ts";
import { endOf } from "./children.ts";
import { freePort } from "./free-port.ts";

export interface TestAgent {
  readonly role: Role;
  readonly host: string;
}

export interface TestNats {
  readonly url: string;
  /** Of the server's user, of the observer's, and of agents by `<role>-<host>`; only where users were asked for. */
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly pid: number;
  connectServer(): Promise<NatsBus>;
  connectAgent(role: Role, host: string): Promise<NatsBus>;
  /** kill -9; returns when it has gone. */
  kill(): Promise<void>;
  /** On the same port as before. */
  restart(): Promise<void>;
  /** Ends it, closes the buses that this made and removes the directory. */
  close(): Promise<void>;
}

class RunningNats implements TestNats {
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly #directory: string;
  readonly #configFile: string;
  readonly #buses: NatsBus[] = [];
  #process: NatsServerProcess;

  constructor(parts: {
    readonly directory: string;
    readonly configFile: string;
    readonly credentials: ReadonlyMap<string, Credential>;
    readonly process: NatsServerProcess;
  }) {
    this.#directory = parts.directory;
    this.#configFile = parts.configFile;
    this.credentials = parts.credentials;
    this.#process = parts.process;
  }

  get url(): string {
    return this.#process.url;
  }

  get pid(): number {
    return this.#process.pid;
  }

  connectServer(): Promise<NatsBus> {
    return this.#connect("server", serverInboxPrefix);
  }

  connectAgent(role: Role, host: string): Promise<NatsBus> {
    return this.#connect(`${role}-${host}`, inboxPrefix(role, host));
  }

  async kill(): Promise<void> {
    await endOf(this.#process.child, "SIGKILL");
  }

  async restart(): Promise<void> {
    this.#process = await startNatsServer({ directory: this.#directory, configFile: this.#configFile, log: silentLogger });
  }

  async close(): Promise<void> {
    await Promise.all(this.#buses.map((bus) => bus.close()));
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #connect(user: string, prefix: string): Promise<NatsBus> {
    const seedFile = this.credentials.get(user)?.seedFile;
    const bus = await connectBus({
      url: this.url,
      inboxPrefix: prefix,
      name: user,
      firstConnectTimeoutMs: 5000,
      log: silentLogger,
      ...(seedFile === undefined ? {} : { nkeySeedFile: seedFile }),
    });
    this.#buses.push(bus);
    return bus;
  }
}

/**
 * @param agents who may sign in besides the server; `undefined`: everybody may do everything
 * @param address of such an open one: 0.0.0.0 for agents in network stacks of their own
 */
export async function startTestNats(agents?: readonly TestAgent[], address = "127.0.0.1"): Promise<TestNats> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-nats-"));
  const credentials = new Map<string, Credential>();
  let configFile = join(directory, "open.conf");
  if (agents === undefined) {
    await writeFile(configFile, `listen: "${address}:-1"\n`);
  } else {
    credentials.set("server", await ensureServerCredential(directory));
    for (const { role, host } of agents) {
      credentials.set(`${role}-${host}`, await ensureAgentCredential(directory, role, host));
    }
    const users = agents.map(({ role, host }) => ({ role, host, publicKey: publicKey(credentials, `${role}-${host}`) }));
    credentials.set("observer", await ensureObserverCredential(directory));
    const [server, observer] = [publicKey(credentials, "server"), publicKey(credentials, "observer")];
    const storeDir = join(directory, "jetstream");
    configFile = await writeNatsConfig({ directory, port: -1, server, agents: users, observer, storeDir });
  }
  // As if it had had it before: a restart finds it free, whoever takes ports in between.
  await writeFile(join(directory, "nats-server.port"), `${await freePort(address)}\n`);
  const process = await startNatsServer({ directory, configFile, log: silentLogger });
  return new RunningNats({ directory, configFile, credentials, process });
}

function publicKey(credentials: ReadonlyMap<string, Credential>, user: string): string {
  const credential = credentials.get(user);
  if (credential === undefined) throw new Error(`no credential for ${user}`);
  return credential.publicKey;
}
