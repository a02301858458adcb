// A server as a process of its own that may be killed at any moment.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endOf } from "./children.ts";
import { RestClient } from "./rest-client.ts";
import { untilReady } from "./ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

/** A server that is started again when it was killed; clients that come in between wait. */
export class KillableServer {
  readonly #flags: readonly string[];
  readonly #connections: number;
  #child: ChildProcess | undefined;
  #client: Promise<RestClient> | undefined;

  /** @param connections of the client that it is asked by */
  constructor(flags: readonly string[], connections: number) {
    this.#flags = flags;
    this.#connections = connections;
  }

  get client(): Promise<RestClient> {
    this.#client ??= this.#start();
    return this.#client;
  }

  async #start(): Promise<RestClient> {
    const child = fork(launcher, ["server", ...this.#flags], { stdio: ["ignore", "ignore", "ignore", "ipc"], execArgv: [] });
    this.#child = child;
    const { url } = await untilReady(child);
    return new RestClient(url, this.#connections);
  }

  /** kill -9, and another one in its place. */
  async replace(): Promise<void> {
    await this.kill();
    await this.client;
  }

  async kill(): Promise<void> {
    // One that never came has said why already.
    const [child, client] = [this.#child, await this.#client?.catch(() => undefined)];
    this.#client = undefined;
    await endOf(child, "SIGKILL");
    client?.close();
  }
}
