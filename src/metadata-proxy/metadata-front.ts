// The HTTP server for guests' connections: it never listens itself, whoever listens in a namespace hands connections to it and
// says where they came in.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../base/logger.ts";
import type { ListenPlace, NamespaceSockets } from "./namespace-sockets.ts";
import type { RequestHandler, RequestOrigin } from "./request-handler.ts";

export interface MetadataFrontOptions {
  readonly sockets: NamespaceSockets;
  readonly handler: RequestHandler;
  readonly log: Logger;
  /** For a whole request to arrive, and for silence in any exchange. */
  readonly timeoutMs: number;
}

interface Connection {
  readonly place: ListenPlace;
  readonly originOf: (source: string) => RequestOrigin;
  source: Promise<string | undefined> | undefined;
}

const mostHeaderBytes = 8 * 1024;
const keepAliveMs = 5000;
/** A guest that is slower with its header only holds a connection. */
const headersTimeoutMs = 10_000;
const checkEveryMs = 5000;

export class MetadataFront {
  readonly #options: MetadataFrontOptions;
  readonly #connections = new WeakMap<Socket, Connection>();
  readonly #http: Server;

  constructor(options: MetadataFrontOptions) {
    const { timeoutMs } = options;
    this.#options = options;
    this.#http = createServer(
      {
        maxHeaderSize: mostHeaderBytes,
        requestTimeout: timeoutMs,
        headersTimeout: Math.min(timeoutMs, headersTimeoutMs),
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: Math.min(timeoutMs, checkEveryMs),
      },
      (incoming, response) => void this.#answer(incoming, response),
    );
    // Longer than the upstream may take: else the guest would lose its connection instead of being told.
    this.#http.timeout = 2 * timeoutMs;
    // It never listens itself: only this event starts its watch over slow requests.
    this.#http.emit("listening");
  }

  /** @param originOf asked at each request, with the address of the other end */
  accept(socket: Socket, place: ListenPlace, originOf: (source: string) => RequestOrigin): void {
    this.#connections.set(socket, { place, originOf, source: undefined });
    this.#http.emit("connection", socket);
  }

  /** What is being answered goes on as long as its sockets do. */
  close(): void {
    // It says that it does not listen, but ends its watch.
    this.#http.close(() => {});
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = incoming;
    const connection = this.#connections.get(socket);
    try {
      const source = connection === undefined ? undefined : await this.#sourceOf(socket, connection);
      // Gone already, or from nowhere that we listen at.
      if (connection === undefined || source === undefined) return void socket.destroy();
      await this.#options.handler.handle(incoming, response, connection.originOf(source));
    } catch (err) {
      this.#options.log.error({ namespace: connection?.place.namespace, err }, "metadata request failed");
      socket.destroy();
    }
  }

  /** Asked once for each connection. */
  async #sourceOf(socket: Socket, connection: Connection): Promise<string | undefined> {
    connection.source ??= this.#options.sockets.peerAddress(socket, connection.place);
    return connection.source;
  }
}
