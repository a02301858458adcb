// Connecting to NATS: as whom, and for how long it is tried.
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type ConnectionOptions, connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { errorText, NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus } from "./bus.ts";
import type { NotificationStream } from "./notification-stream.ts";
import { ConnectedBus } from "./connected-bus.ts";

export interface BusConfig {
  readonly url: string;
  /** Agents: `inboxPrefix(role, host)`; they may not read other inboxes. */
  readonly inboxPrefix: string;
  readonly nkeySeedFile?: string;
  /** Seen by operators in the connections of the nats-server. */
  readonly name: string;
  readonly firstConnectTimeoutMs: number;
  readonly log: Logger;
}

export type NatsBus = Bus & {
  readonly serverVersion: string;
  /** What NATS is to keep for readers to come. */
  notifications(): NotificationStream;
};

async function connectionOptions(config: BusConfig): Promise<ConnectionOptions> {
  const options: ConnectionOptions = {
    servers: config.url,
    name: config.name,
    inboxPrefix: config.inboxPrefix,
    // Traces of where a request was made cost 60 % of the throughput.
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    // A server that is being reconfigured refuses us for a moment; giving up for ever would be worse.
    ignoreAuthErrorAbort: true,
    pingInterval: 10_000,
    timeout: Math.min(config.firstConnectTimeoutMs, 2000),
  };
  if (config.nkeySeedFile === undefined) return options;
  const seed = new TextEncoder().encode((await readFile(config.nkeySeedFile, "utf8")).trim());
  return { ...options, authenticator: nkeyAuthenticator(seed) };
}

/** The first connection must come in `firstConnectTimeoutMs` (else NetloomError UNAVAILABLE); every later one is waited for without end. */
export async function connectBus(config: BusConfig): Promise<NatsBus> {
  const options = await connectionOptions(config);
  const deadline = performance.now() + config.firstConnectTimeoutMs;
  for (;;) {
    try {
      return new ConnectedBus(await connect(options), config.log);
    } catch (thrown) {
      if (performance.now() + 100 >= deadline) {
        throw new NetloomError("UNAVAILABLE", `cannot reach NATS at ${config.url}: ${errorText(thrown)}`, {}, thrown);
      }
      await delay(100);
    }
  }
}
