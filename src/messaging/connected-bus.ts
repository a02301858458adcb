// The Bus over one connection to core NATS, which the client re-establishes by itself. Nothing is buffered: the client would
// drop it at its next dial anyway, so whoever sends while disconnected hears it at once.
import { setTimeout as delay } from "node:timers/promises";
import { headers, type Msg, type MsgHdrs, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { currentTrace, formatTraceparent } from "../base/trace-context.ts";
import type { Bus, BusMessage, BusSubscription, RequestOptions } from "./bus.ts";
import { answer, orderedHandler } from "./dispatch.ts";
import { readReply } from "./envelope.ts";
import { isPermissionError, requestFailure } from "./nats-errors.ts";
import { JetStreamNotifications, type NotificationStream } from "./notification-stream.ts";
import { decodePayload, encodePayload, encodeReply } from "./payload.ts";

const traceHeader = "traceparent";
const handlerDrainMs = 3000;
/** NATS' own default; the real one is in the greeting of the server. */
const usualMaxPayload = 1024 * 1024;

function traceHeaders(): MsgHdrs | undefined {
  const trace = currentTrace();
  if (trace === undefined) return undefined;
  const fields = headers();
  fields.set(traceHeader, formatTraceparent(trace));
  return fields;
}

function toBusMessage(message: Msg): BusMessage {
  const traceparent = message.headers?.get(traceHeader);
  return {
    subject: message.subject,
    data: decodePayload(message.string(), message.subject),
    traceparent: traceparent === "" ? undefined : traceparent,
  };
}

export class ConnectedBus implements Bus {
  readonly #nc: NatsConnection;
  readonly #log: Logger;
  readonly #reconnectListeners: (() => void)[] = [];
  readonly #disconnectListeners: (() => void)[] = [];
  /** One rejecting function for each request under way. */
  readonly #waiting = new Set<(error: NetloomError) => void>();
  readonly #serving = new Set<Promise<void>>();
  readonly #subscriptions = new Set<Subscription>();
  #connected = true;

  constructor(nc: NatsConnection, log: Logger) {
    this.#nc = nc;
    this.#log = log;
    void this.#followStatus();
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  get serverVersion(): string {
    return this.#nc.info?.version ?? "unknown";
  }

  notifications(): NotificationStream {
    return new JetStreamNotifications(this.#nc);
  }

  publish(subject: string, data: unknown): void {
    this.#requireConnection(subject);
    const payload = this.#encode(subject, data);
    const fields = traceHeaders();
    this.#nc.publish(subject, payload, fields === undefined ? {} : { headers: fields });
  }

  async request(subject: string, data: unknown, options: RequestOptions): Promise<unknown> {
    this.#requireConnection(subject);
    options.signal?.throwIfAborted();
    const payload = this.#encode(subject, data);
    const fields = traceHeaders();
    const { promise: cutShort, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(options.signal?.reason);
    this.#waiting.add(reject);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const answered = this.#nc.request(subject, payload, {
        timeout: options.timeoutMs,
        ...(fields === undefined ? {} : { headers: fields }),
      });
      const message = await Promise.race([answered, cutShort]);
      return readReply(decodePayload(message.string(), subject), subject);
    } catch (thrown) {
      if (options.signal?.aborted === true) throw thrown;
      throw requestFailure(thrown, subject, options.timeoutMs);
    } finally {
      this.#waiting.delete(reject);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  subscribe(subject: string, handler: (message: BusMessage) => void | Promise<void>): BusSubscription {
    return this.#open(subject, undefined, orderedHandler(handler, this.#log));
  }

  serve(subject: string, queue: string, handler: (message: BusMessage) => Promise<unknown>): BusSubscription {
    return this.#open(subject, queue, (message, raw) => {
      const work = this.#answer(handler, message, raw).finally(() => this.#serving.delete(work));
      this.#serving.add(work);
    });
  }

  onReconnect(listener: () => void): void {
    this.#reconnectListeners.push(listener);
  }

  onDisconnect(listener: () => void): void {
    this.#disconnectListeners.push(listener);
  }

  async flush(): Promise<void> {
    this.#requireConnection("flush");
    const { promise: cutShort, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      await Promise.race([this.#nc.flush(), cutShort]);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** Takes no more requests, lets those under way answer, then goes. */
  async close(): Promise<void> {
    if (this.#nc.isClosed()) return;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await Promise.race([Promise.allSettled(this.#serving), delay(handlerDrainMs, undefined, { ref: false })]);
    if (this.#connected) await Promise.race([this.#nc.flush(), delay(500, undefined, { ref: false })]).catch(() => {});
    this.#connected = false;
    this.#failWaiting("the connection to NATS was closed");
    await this.#nc.close();
  }

  async #answer(handler: (message: BusMessage) => Promise<unknown>, message: BusMessage, raw: Msg): Promise<void> {
    const reply = await answer(handler, message, this.#log);
    // While disconnected the caller has already been told; its inbox is gone.
    if (!this.#connected || this.#nc.isClosed()) return;
    raw.respond(encodeReply(reply, { subject: message.subject, maxBytes: this.#maxPayload, log: this.#log }));
  }

  #open(subject: string, queue: string | undefined, take: (message: BusMessage, raw: Msg) => void): BusSubscription {
    const callback = (err: Error | null, raw: Msg): void => {
      if (err !== null) {
        this.#log.error({ err, subject }, isPermissionError(err) ? "subscription not permitted" : "subscription failed");
        return;
      }
      try {
        take(toBusMessage(raw), raw);
      } catch (parseError) {
        this.#log.warn({ err: parseError, subject: raw.subject }, "message dropped");
      }
    };
    const subscription = this.#nc.subscribe(subject, queue === undefined ? { callback } : { queue, callback });
    this.#subscriptions.add(subscription);
    return {
      close: () => {
        this.#subscriptions.delete(subscription);
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  }

  #encode(subject: string, data: unknown): Uint8Array {
    return encodePayload(data, subject, this.#maxPayload);
  }

  get #maxPayload(): number {
    return this.#nc.info?.max_payload ?? usualMaxPayload;
  }

  #requireConnection(subject: string): void {
    if (!this.#connected) throw new NetloomError("UNAVAILABLE", `not connected to NATS (${subject})`);
  }

  #failWaiting(reason: string): void {
    for (const reject of this.#waiting) reject(new NetloomError("UNAVAILABLE", reason));
    this.#waiting.clear();
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === "disconnect") this.#disconnected();
      else if (status.type === "reconnect") this.#reconnected();
      else if (status.type === "error") this.#serverError(status.error);
      else if (status.type === "slowConsumer") this.#log.warn({ pending: status.pending }, "subscription fell behind");
    }
    this.#disconnected();
  }

  #serverError(err: Error): void {
    if (isPermissionError(err)) this.#log.error({ err }, "operation not permitted by nats");
    else this.#log.warn({ err }, "nats reported an error");
  }

  #disconnected(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#failWaiting("the connection to NATS was lost");
    this.#log.warn({}, "nats connection lost");
    this.#tell(this.#disconnectListeners);
  }

  #reconnected(): void {
    if (this.#connected) return;
    this.#connected = true;
    this.#log.info({}, "nats connection re-established");
    this.#tell(this.#reconnectListeners);
  }

  #tell(listeners: readonly (() => void)[]): void {
    for (const listener of listeners) {
      try {
        listener();
      } catch (err) {
        this.#log.error({ err }, "connection listener failed");
      }
    }
  }
}
