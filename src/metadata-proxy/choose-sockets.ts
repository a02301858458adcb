// Which way to make sockets in namespaces: the quick one where it works, unless told otherwise.
import type { Logger } from "../base/logger.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { ChildSockets } from "./child-sockets.ts";
import type { NamespaceSockets } from "./namespace-sockets.ts";
import { SetnsSockets } from "./setns-sockets.ts";

export interface SocketChoice {
  readonly kind: "auto" | NamespaceSockets["kind"];
  readonly runner: CommandRunner;
  readonly log: Logger;
}

/** Throws UNAVAILABLE when `setns` was asked for by name and does not work here. */
export async function chooseSockets({ kind, runner, log }: SocketChoice): Promise<NamespaceSockets> {
  if (kind === "child") return new ChildSockets({ runner });
  try {
    return await SetnsSockets.create();
  } catch (err) {
    if (kind === "setns") throw err;
    log.warn({ err, outcome: "child" }, "metadata listeners are opened by child processes, which is slower");
    return new ChildSockets({ runner });
  }
}
