// Notifications for users outside of netloom, kept by NATS (JetStream) so that they can be read again: one stream of all `nl.notify.>`.
import type { JetStreamClient, JetStreamManager, StreamUpdateConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../base/errors.ts";
import { encodePayload, isTooLarge } from "./payload.ts";

export interface NotificationStream {
  /**
   * Makes the stream, or brings one that is there up to date.
   *
   * @returns why there can be none: no JetStream, or not for us; `undefined` when it is there
   */
  open(): Promise<string | undefined>;
  /**
   * Resolves when it is stored, rejects when nobody knows whether it is. The same `id` within two minutes is stored once.
   *
   * @param id unique for ever
   * @param instead what is stored when a message has no room for `data`
   */
  store(subject: string, data: unknown, id: string, instead: () => unknown): Promise<void>;
}

export const notificationStreamName = "NOTIFY";

const nanosecondsPerHour = 3600 * 1_000_000_000;
/** What is older, or more than this, goes: the oldest first. */
const limits = {
  max_age: 24 * nanosecondsPerHour,
  max_bytes: 256 * 1024 * 1024,
  duplicate_window: 120 * 1_000_000_000,
} as const satisfies Partial<StreamUpdateConfig>;
const storeLimitMs = 5000;

export class JetStreamNotifications implements NotificationStream {
  readonly #nc: NatsConnection;
  #client: JetStreamClient | undefined;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  async open(): Promise<string | undefined> {
    // Agents share the connection's code and never come here.
    const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
    try {
      const manager = await jetstreamManager(this.#nc, { checkAPI: false, timeout: storeLimitMs });
      await ensureStream(manager);
      this.#client = jetstream(this.#nc, { timeout: storeLimitMs });
      return undefined;
    } catch (thrown) {
      return errorText(thrown);
    }
  }

  async store(subject: string, data: unknown, id: string, instead: () => unknown): Promise<void> {
    if (this.#client === undefined) throw new Error("the stream was not opened");
    // Before anything is waited for: messages keep their order.
    const payload = this.#encode(subject, data, instead);
    await this.#client.publish(subject, payload, { msgID: id, timeout: storeLimitMs });
  }

  #encode(subject: string, data: unknown, instead: () => unknown): Uint8Array {
    const maxBytes = this.#nc.info?.max_payload ?? 1024 * 1024;
    try {
      return encodePayload(data, subject, maxBytes);
    } catch (thrown) {
      if (!isTooLarge(thrown)) throw thrown;
      return encodePayload(instead(), subject, maxBytes);
    }
  }
}

async function ensureStream(manager: JetStreamManager): Promise<void> {
  const wanted = { subjects: ["nl.notify.>"], ...limits };
  try {
    await manager.streams.add({ name: notificationStreamName, storage: "file", ...wanted });
  } catch {
    // It is there with other settings, perhaps an operator's; or it cannot be, which this says as well.
    const { config } = await manager.streams.info(notificationStreamName);
    if (config.subjects?.includes("nl.notify.>") === true) return;
    await manager.streams.update(notificationStreamName, wanted);
  }
}
