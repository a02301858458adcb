// Hands a request on to a Nova-compatible metadata service and its answer back, both as streams of bytes that nobody looks at:
// compressed and binary bodies arrive as they were sent.
import { Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { endToEndHeaders } from "./request-headers.ts";

/** `http://host:port`, or the path of a Unix socket. */
export type UpstreamAddress = { readonly url: string } | { readonly socketPath: string };

export interface UpstreamOptions {
  readonly address: UpstreamAddress;
  /** Silence after which the exchange is given up. */
  readonly timeoutMs: number;
}

/** The upstream could not be reached or answered nothing; nothing has been said to the guest. */
export class UpstreamSilence extends Error {
  override readonly name = "UpstreamSilence";
}

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #agent: Agent;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 8, timeout: options.timeoutMs });
  }

  /**
   * Answers `incoming` by `response`, with any status that the upstream says. Throws UpstreamSilence as long as something else
   * can still be answered; breaks the guest's connection when the upstream fails in the middle of its answer.
   */
  async forward(incoming: IncomingMessage, response: ServerResponse, headers: [string, string][]): Promise<void> {
    const answer = await this.#ask(incoming, response, headers, true);
    answer.on("error", () => response.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", endToEndHeaders(answer.rawHeaders).flat());
    await pipeline(answer, response).catch(() => response.destroy());
  }

  async #ask(
    incoming: IncomingMessage,
    response: ServerResponse,
    headers: [string, string][],
    mayRetry: boolean,
  ): Promise<IncomingMessage> {
    const outgoing = this.#open(incoming, headers);
    const giveUp = (): void => void outgoing.destroy();
    response.once("close", giveUp);
    try {
      return await exchange(outgoing, incoming);
    } catch (thrown) {
      // An idle connection may be closed by the other side just when we use it again.
      const isStale = outgoing.reusedSocket && !hasBody(incoming) && !response.destroyed;
      if (mayRetry && isStale) return await this.#ask(incoming, response, headers, false);
      throw new UpstreamSilence("no answer from the metadata service", { cause: thrown });
    } finally {
      // From here on the pipeline watches the guest.
      if (!response.destroyed) response.off("close", giveUp);
    }
  }

  #open(incoming: IncomingMessage, headers: [string, string][]): ClientRequest {
    const { address, timeoutMs } = this.#options;
    const { method, url: path } = incoming;
    const common = { agent: this.#agent, method, timeout: timeoutMs, setHost: false };
    const sized = hasBody(incoming) && incoming.headers["content-length"] === undefined;
    const framing: [string, string][] = sized ? [["Transfer-Encoding", "chunked"]] : [];
    if ("socketPath" in address) {
      return request({ ...common, socketPath: address.socketPath, path, headers: [...headers, ...framing].flat() });
    }
    const { hostname, port, host } = new URL(address.url);
    const own = headers.filter(([name]) => name.toLowerCase() !== "host");
    const target = { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? 80 : Number(port), path };
    return request({ ...common, ...target, headers: [["Host", host], ...own, ...framing].flat() });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export function hasBody(incoming: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  return encoding !== undefined || (length !== undefined && length !== "0");
}

async function exchange(outgoing: ClientRequest, incoming: IncomingMessage): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.once("close", () => reject(new Error("connection closed")));
    outgoing.once("timeout", () => outgoing.destroy(new Error("timed out")));
  });
  if (!hasBody(incoming)) outgoing.end();
  // A guest that breaks off ends the exchange; an upstream that answers early is listened to all the same.
  else pipeline(incoming, outgoing).catch((thrown: unknown) => outgoing.destroy(thrown instanceof Error ? thrown : undefined));
  return answer;
}
