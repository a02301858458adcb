// A small client of the REST API for tests and benchmarks: keeps connections, says what the server said when it is not the
// status that was expected.
import http from "node:http";

export type Json = Readonly<Record<string, unknown>>;

export interface RestAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

export class RestClient {
  readonly #base: URL;
  readonly #agent: http.Agent;

  constructor(url: string, connections = 16) {
    this.#base = new URL(url);
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  }

  request(method: string, path: string, body?: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<RestAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<RestAnswer>();
    const request = http.request(
      {
        agent: this.#agent,
        host: this.#base.hostname,
        port: this.#base.port,
        method,
        path,
        headers: {
          ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const received = Buffer.concat(chunks).toString("utf8");
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: received === "" ? undefined : JSON.parse(received),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(text);
    return promise;
  }

  /** POST of one object; answers the created object. */
  async create(kind: string, body: Json): Promise<Json & { readonly id: string }> {
    const answer = await this.#expect(201, "POST", `/v2.0/${kind}s`, { [kind]: body });
    return (answer as Record<string, Json & { readonly id: string }>)[kind] ?? fail(`no ${kind} in the answer`);
  }

  async list(kind: string, query = ""): Promise<readonly (Json & { readonly id: string })[]> {
    const answer = await this.#expect(200, "GET", `/v2.0/${kind}s${query}`);
    return (
      (answer as Record<string, readonly (Json & { readonly id: string })[]>)[`${kind}s`] ?? fail(`no ${kind}s in the answer`)
    );
  }

  async show(kind: string, id: string): Promise<Json & { readonly id: string }> {
    const answer = await this.#expect(200, "GET", `/v2.0/${kind}s/${id}`);
    return (answer as Record<string, Json & { readonly id: string }>)[kind] ?? fail(`no ${kind} in the answer`);
  }

  async update(kind: string, id: string, changes: Json): Promise<Json & { readonly id: string }> {
    const answer = await this.#expect(200, "PUT", `/v2.0/${kind}s/${id}`, { [kind]: changes });
    return (answer as Record<string, Json & { readonly id: string }>)[kind] ?? fail(`no ${kind} in the answer`);
  }

  async remove(kind: string, id: string): Promise<void> {
    await this.#expect(204, "DELETE", `/v2.0/${kind}s/${id}`);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #expect(status: number, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.request(method, path, body);
    if (answer.status !== status) fail(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}

function fail(message: string): never {
  throw new Error(message);
}
