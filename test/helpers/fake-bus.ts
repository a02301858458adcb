// A Bus in memory: several clients on one hub, which can be told to lose connections and messages and to fail calls. It
// passes the contract suite of the real one (test/contract/messaging).
import { NetloomError } from "../../src/base/errors.ts";
import { type Logger, silentLogger } from "../../src/base/logger.ts";
import { currentTrace, formatTraceparent } from "../../src/base/trace-context.ts";
import type { Bus, BusMessage, BusSubscription, RequestOptions } from "../../src/messaging/bus.ts";
import { answer, orderedHandler } from "../../src/messaging/dispatch.ts";
import { readReply, type Reply } from "../../src/messaging/envelope.ts";
import { decodePayload, encodePayload, encodeReply } from "../../src/messaging/payload.ts";

interface Interest {
  readonly client: FakeBus;
  readonly pattern: RegExp;
  readonly queue: string | undefined;
  /** Answers only where `serve` made it. */
  readonly take: (message: BusMessage) => Promise<Reply> | undefined;
}

const toPattern = (subject: string): RegExp =>
  new RegExp(`^${subject.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`);

export class FakeHub {
  readonly maxPayloadBytes: number;
  readonly #interests = new Set<Interest>();
  #toDrop = 0;
  #turn = 0;

  constructor(options: { readonly maxPayloadBytes?: number } = {}) {
    this.maxPayloadBytes = options.maxPayloadBytes ?? 1024 * 1024;
  }

  connect(log: Logger = silentLogger): FakeBus {
    return new FakeBus(this, log);
  }

  /** The next `count` published messages reach nobody, as if the wire had lost them. */
  dropNextMessages(count: number): void {
    this.#toDrop = count;
  }

  add(interest: Interest): BusSubscription {
    this.#interests.add(interest);
    return { close: () => void this.#interests.delete(interest) };
  }

  removeAll(client: FakeBus): void {
    for (const interest of this.#interests) if (interest.client === client) this.#interests.delete(interest);
  }

  /** Everybody who listens, but one only of each queue group. */
  receivers(subject: string): readonly Interest[] {
    const listening = [...this.#interests].filter(({ client, pattern }) => client.isConnected && pattern.test(subject));
    const groups = Map.groupBy(listening, (interest) => interest.queue);
    this.#turn += 1;
    return [...groups].flatMap(([queue, members]) => {
      const chosen = members[this.#turn % members.length];
      return queue === undefined || chosen === undefined ? members : [chosen];
    });
  }

  deliver(message: BusMessage): void {
    if (this.#toDrop > 0) {
      this.#toDrop -= 1;
      return;
    }
    for (const { take } of this.receivers(message.subject)) void take(message);
  }
}

export class FakeBus implements Bus {
  readonly #hub: FakeHub;
  readonly #log: Logger;
  readonly #reconnectListeners: (() => void)[] = [];
  readonly #disconnectListeners: (() => void)[] = [];
  readonly #waiting = new Set<(error: NetloomError) => void>();
  readonly #failures = new Map<number, NetloomError>();
  #calls = 0;
  #connected = true;

  constructor(hub: FakeHub, log: Logger) {
    this.#hub = hub;
    this.#log = log;
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** The `n`-th publish or request from now on (1 = the next) throws `error`. */
  failCall(n: number, error = new NetloomError("UNAVAILABLE", "told to fail")): void {
    this.#failures.set(this.#calls + n, error);
  }

  disconnect(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#failWaiting("the connection to NATS was lost");
    for (const listener of this.#disconnectListeners) listener();
  }

  reconnect(): void {
    if (this.#connected) return;
    this.#connected = true;
    for (const listener of this.#reconnectListeners) listener();
  }

  publish(subject: string, data: unknown): void {
    const message = this.#message(subject, data);
    // Never in the caller's stack: the real one does not either.
    setImmediate(() => this.#hub.deliver(message));
  }

  async request(subject: string, data: unknown, options: RequestOptions): Promise<unknown> {
    options.signal?.throwIfAborted();
    const message = this.#message(subject, data);
    const { promise: cutShort, reject } = Promise.withResolvers<never>();
    const timeout = new NetloomError("TIMEOUT", `no answer to ${subject} in ${options.timeoutMs} ms`);
    const timer = setTimeout(() => reject(timeout), options.timeoutMs);
    const onAbort = (): void => reject(options.signal?.reason);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(reject);
    try {
      const reply = await Promise.race([this.#ask(message), cutShort]);
      return readReply(reply, subject);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(reject);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  subscribe(subject: string, handler: (message: BusMessage) => void | Promise<void>): BusSubscription {
    const hand = orderedHandler(handler, this.#log);
    const take = (message: BusMessage): undefined => hand(message) as undefined;
    return this.#hub.add({ client: this, pattern: toPattern(subject), queue: undefined, take });
  }

  serve(subject: string, queue: string, handler: (message: BusMessage) => Promise<unknown>): BusSubscription {
    const take = (message: BusMessage): Promise<Reply> => answer(handler, message, this.#log);
    return this.#hub.add({ client: this, pattern: toPattern(subject), queue, take });
  }

  onReconnect(listener: () => void): void {
    this.#reconnectListeners.push(listener);
  }

  onDisconnect(listener: () => void): void {
    this.#disconnectListeners.push(listener);
  }

  async flush(): Promise<void> {
    if (!this.#connected) throw new NetloomError("UNAVAILABLE", "not connected to NATS (flush)");
    await new Promise((resolve) => setImmediate(resolve));
  }

  async close(): Promise<void> {
    this.#hub.removeAll(this);
    this.#connected = false;
    this.#failWaiting("the connection to NATS was closed");
  }

  async #ask(message: BusMessage): Promise<unknown> {
    await new Promise((resolve) => setImmediate(resolve));
    const receivers = this.#hub.receivers(message.subject);
    if (receivers.length === 0) throw new NetloomError("UNAVAILABLE", `nobody serves ${message.subject}`);
    const reply = await Promise.race(receivers.map(({ take }) => take(message) ?? new Promise<never>(() => {})));
    const { subject } = message;
    const bytes = encodeReply(reply, { subject, maxBytes: this.#hub.maxPayloadBytes, log: this.#log });
    return decodePayload(new TextDecoder().decode(bytes), subject);
  }

  #message(subject: string, data: unknown): BusMessage {
    this.#calls += 1;
    const failure = this.#failures.get(this.#calls);
    if (failure !== undefined) throw failure;
    if (!this.#connected) throw new NetloomError("UNAVAILABLE", `not connected to NATS (${subject})`);
    const bytes = encodePayload(data, subject, this.#hub.maxPayloadBytes);
    const trace = currentTrace();
    return {
      subject,
      data: decodePayload(new TextDecoder().decode(bytes), subject),
      traceparent: trace === undefined ? undefined : formatTraceparent(trace),
    };
  }

  #failWaiting(reason: string): void {
    for (const reject of this.#waiting) reject(new NetloomError("UNAVAILABLE", reason));
    this.#waiting.clear();
  }
}
