// What the programs know of NATS. The real one is nats-bus.ts; test/helpers has a fake that passes the same contract suite.

export interface BusMessage {
  readonly subject: string;
  /** Parsed JSON, not yet checked. */
  readonly data: unknown;
  readonly traceparent: string | undefined;
}

export interface BusSubscription {
  close(): void;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * At-most-once messages. Whatever must not be lost is asked for again by its receiver (`sync since`) or kept by its
 * sender until it is acknowledged; the bus keeps nothing.
 */
export interface Bus {
  readonly isConnected: boolean;
  /** Throws NetloomError UNAVAILABLE at once while disconnected: nothing is buffered. The current trace travels along. */
  publish(subject: string, data: unknown): void;
  /**
   * The peer's result. Rejects with the peer's NetloomError; with UNAVAILABLE at once while disconnected or when nobody
   * listens; with TIMEOUT after `timeoutMs`.
   */
  request(subject: string, data: unknown, options: RequestOptions): Promise<unknown>;
  /** Messages of one subscription are handed over in order; a handler that throws is logged and does not end the subscription. */
  subscribe(subject: string, handler: (message: BusMessage) => void | Promise<void>): BusSubscription;
  /** Serves requests in a queue group; what the handler throws goes to the caller as an error. Handlers run concurrently. */
  serve(subject: string, queue: string, handler: (message: BusMessage) => Promise<unknown>): BusSubscription;
  /** Called after every re-established connection (not after the first). */
  onReconnect(listener: () => void): void;
  onDisconnect(listener: () => void): void;
  /** Resolves when what was published so far has reached the server. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
