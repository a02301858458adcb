// The REST API as the demo uses it: as any client would, with a trace id by which the agent's log line is found again.
export type ApiObject = Readonly<Record<string, unknown>> & { readonly id: string };

export class DemoApi {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async create(kind: string, attributes: Readonly<Record<string, unknown>>, traceparent?: string): Promise<ApiObject> {
    const headers = { "content-type": "application/json", ...(traceparent === undefined ? {} : { traceparent }) };
    const body = JSON.stringify({ [kind]: attributes });
    const answer = await this.#read(`${kind}s`, { method: "POST", headers, body });
    return (answer as Readonly<Record<string, ApiObject>>)[kind] ?? missing(kind);
  }

  /** An action on one object, such as `routers/<id>/add_router_interface`. */
  async put(path: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#read(path, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  }

  async show(kind: string, id: string): Promise<ApiObject> {
    return ((await this.#read(`${kind}s/${id}`)) as Readonly<Record<string, ApiObject>>)[kind] ?? missing(kind);
  }

  async list(kind: string, query: string): Promise<readonly ApiObject[]> {
    return ((await this.#read(`${kind}s?${query}`)) as Readonly<Record<string, ApiObject[]>>)[`${kind}s`] ?? missing(kind);
  }

  async #read(path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await fetch(`${this.#url}/v2.0/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${init.method ?? "GET"} /v2.0/${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

function missing(kind: string): never {
  throw new Error(`the answer of the API has no ${kind}`);
}

/** Looks again until `look` finds something; throws with `what` when the limit is reached. */
export async function waitFor<T>(what: string, limitMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
