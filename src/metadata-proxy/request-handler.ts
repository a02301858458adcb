// One request from a guest: how often it may ask, who it is, and who answers. Which network it comes from is told by the
// listener that took its connection, never by anything that it says.
import type { IncomingMessage, ServerResponse } from "node:http";
import { NetloomError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";
import { type Answer, answerBuiltIn } from "./built-in/answer.ts";
import type { HostFacts } from "./built-in/facts.ts";
import type { Instance } from "./instance.ts";
import type { RateLimiter } from "../base/rate-limit.ts";
import { claimsBothIds, upstreamHeaders } from "./request-headers.ts";
import { hasBody, type Upstream, UpstreamSilence } from "./upstream.ts";

/** Where a request came in, as far as it decides the answer. */
export interface RequestOrigin {
  /** Absent where a router took the connection. */
  readonly networkId?: NetworkId | undefined;
  readonly routerId: string | undefined;
  /** Address of the other end. */
  readonly source: string;
  readonly limiter: RateLimiter;
  /** Who has that address. Throws a retryable NetloomError when that cannot be told now. */
  find(): Promise<Instance | undefined>;
}

export interface HandlerParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly facts: HostFacts;
  readonly upstream: Upstream | undefined;
  readonly secret: Buffer | undefined;
}

const plainText = "text/plain; charset=utf-8";
const refusal = (status: number, text: string): Answer => ({ status, contentType: plainText, body: `${status} ${text}\n` });

const tooMany = refusal(429, "Too Many Requests");
const contradiction = refusal(400, "Bad Request: both a network and a router are claimed");
const unknownInstance = refusal(404, "Not Found: no instance has this address");
const unavailable = refusal(503, "Service Unavailable: the metadata service does not answer");

export class RequestHandler {
  readonly #parts: HandlerParts;
  readonly #statuses = new Map<number, number>();

  constructor(parts: HandlerParts) {
    this.#parts = parts;
  }

  /** Requests answered so far, by status. */
  get statuses(): ReadonlyMap<number, number> {
    return this.#statuses;
  }

  /** Never throws for what a guest or the upstream does. */
  async handle(incoming: IncomingMessage, response: ServerResponse, origin: RequestOrigin): Promise<void> {
    const { clock, upstream } = this.#parts;
    if (!origin.limiter.take(origin.source, clock.monotonicMs())) {
      this.#send(incoming, response, tooMany, { "retry-after": "1" });
    } else if (claimsBothIds(incoming.rawHeaders)) {
      this.#send(incoming, response, contradiction);
    } else {
      const instance = await this.#find(origin);
      if (instance === "unknown") {
        this.#send(incoming, response, unavailable, { "retry-after": "1" });
      } else if (instance === undefined || (upstream !== undefined && !instance.hasDeviceId)) {
        this.#send(incoming, response, unknownInstance);
      } else if (upstream === undefined) {
        const { method = "GET", url = "/" } = incoming;
        this.#send(incoming, response, answerBuiltIn(instance, this.#parts.facts, method, url));
      } else {
        await this.#forward(upstream, incoming, response, { ...origin, instance });
      }
    }
  }

  async #find(origin: RequestOrigin): Promise<Instance | "unknown" | undefined> {
    try {
      return await origin.find();
    } catch (thrown) {
      if (!(thrown instanceof NetloomError) || !thrown.retryable) throw thrown;
      const { networkId, routerId } = origin;
      this.#parts.log.warn({ networkId, routerId, err: thrown.message }, "nobody can tell whose address asks for metadata");
      return "unknown";
    }
  }

  async #forward(
    upstream: Upstream,
    incoming: IncomingMessage,
    response: ServerResponse,
    { networkId, routerId, source, instance }: RequestOrigin & { readonly instance: Instance },
  ): Promise<void> {
    const [{ view }] = instance.ports;
    const claim = { networkId: networkId ?? view.network.id, routerId, instance, source, secret: this.#parts.secret };
    try {
      await upstream.forward(incoming, response, upstreamHeaders(incoming.rawHeaders, claim));
      this.#count(response.statusCode);
    } catch (err) {
      if (!(err instanceof UpstreamSilence)) throw err;
      this.#parts.log.warn({ networkId, routerId, instanceId: instance.id, err }, "metadata service did not answer");
      this.#send(incoming, response, unavailable);
    }
  }

  #send(
    incoming: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    more: Readonly<Record<string, string>> = {},
  ): void {
    this.#count(answer.status);
    if (response.headersSent || response.destroyed) return;
    // What is left of a body that nobody reads would be taken for the next request.
    const close = hasBody(incoming) && !incoming.complete ? { connection: "close" } : {};
    const length = String(Buffer.byteLength(answer.body));
    response.writeHead(answer.status, { "content-type": answer.contentType, "content-length": length, ...more, ...close });
    response.end(answer.body);
    incoming.resume();
  }

  #count(status: number): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }
}
