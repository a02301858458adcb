// The REST API as the command line uses it: JSON in and out, look-up by name or id, failures as one line.
import { isUuid } from "../model/ids.ts";
import { type Credentials, noCredentials } from "./credentials.ts";
import { CommandFailure, exitCodeOfStatus, exitCodes } from "./exit-codes.ts";

export type ApiObject = Readonly<Record<string, unknown>>;

/** `singular` and `plural` as in bodies and paths: `network`, `networks`. */
export interface ResourceName {
  readonly singular: string;
  readonly plural: string;
  /** Where it is not the plural: a collection inside another object. */
  readonly path?: string;
  /** What people call one by, beside its id; `name` when absent. */
  readonly handle?: string;
}

type Special = Partial<Omit<ResourceName, "singular">>;

/** Most are called by their name with an `s`, in bodies and in paths. */
const called = (singular: string, special: Special = {}): ResourceName => ({ singular, plural: `${singular}s`, ...special });

/** Written out once more, and held against the declarations by a test: to load those takes longer than most commands run. */
export const resourceNames = {
  network: called("network"),
  subnet: called("subnet"),
  port: called("port"),
  agent: called("agent"),
  lease: called("lease"),
  router: called("router"),
  floatingip: called("floatingip", { handle: "floating_ip_address" }),
  "security-group": called("security_group", { path: "security-groups" }),
  "security-group-rule": called("security_group_rule", { path: "security-group-rules", handle: "id" }),
  "default-security-group-rule": called("default_security_group_rule", {
    path: "default-security-group-rules",
    handle: "id",
  }),
  "security-group-default-statefulness": called("security_groups_default_statefulness", {
    plural: "security_groups_default_statefulness",
    path: "security-groups-default-statefulness",
    handle: "id",
  }),
  "address-group": called("address_group", { path: "address-groups" }),
  subnetpool: called("subnetpool"),
  segment: called("segment"),
  "network-segment-range": called("network_segment_range"),
  "address-scope": called("address_scope", { path: "address-scopes" }),
  rbac: called("rbac_policy", { plural: "rbac_policies", path: "rbac-policies", handle: "id" }),
  "qos-policy": called("policy", { plural: "policies", path: "qos/policies" }),
  trunk: called("trunk"),
  portForwarding: called("port_forwarding"),
} as const satisfies Readonly<Record<string, ResourceName>>;

export const pathOf = ({ path, plural }: ResourceName): string => path ?? plural;

export type Query = readonly [name: string, value: string][];

export class ApiClient {
  readonly #url: string;
  readonly #credentials: Credentials;
  #token: string | undefined;

  constructor(url: string, credentials: Credentials = noCredentials) {
    if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol)) {
      throw new CommandFailure(exitCodes.usage, `--url takes http://… or https://…, not ${JSON.stringify(url)}`);
    }
    this.#url = url.replace(/\/+$/, "");
    this.#credentials = credentials;
    this.#token = credentials.token;
  }

  async list(resource: ResourceName, query: Query = []): Promise<readonly ApiObject[]> {
    const parameters = new URLSearchParams(query);
    const text = parameters.toString();
    const body = await this.#request("GET", `${pathOf(resource)}${text === "" ? "" : `?${text}`}`);
    return readKey(body, resource.plural) as readonly ApiObject[];
  }

  async show(resource: ResourceName, id: string): Promise<ApiObject> {
    return readKey(await this.#request("GET", `${pathOf(resource)}/${encodeURIComponent(id)}`), resource.singular) as ApiObject;
  }

  /** As the agent itself says it, by way of the server. */
  async showAgentStatus(id: string): Promise<{ readonly phase: unknown; readonly networks: readonly ApiObject[] }> {
    const status = readKey(await this.#request("GET", `agents/${id}/status`), "status");
    return { phase: readKey(status, "phase"), networks: readKey(status, "networks") as readonly ApiObject[] };
  }

  /** The same of an agent of routers or floating IPs. */
  async showRouterAgentStatus(id: string): Promise<{ readonly phase: unknown; readonly routers: readonly ApiObject[] }> {
    const status = readKey(await this.#request("GET", `agents/${id}/status`), "status");
    return { phase: readKey(status, "phase"), routers: readKey(status, "routers") as readonly ApiObject[] };
  }

  async create(resource: ResourceName, attributes: ApiObject): Promise<ApiObject> {
    const body = await this.#request("POST", pathOf(resource), { [resource.singular]: attributes });
    return readKey(body, resource.singular) as ApiObject;
  }

  async update(resource: ResourceName, id: string, changes: ApiObject): Promise<ApiObject> {
    const body = await this.#request("PUT", `${pathOf(resource)}/${encodeURIComponent(id)}`, { [resource.singular]: changes });
    return readKey(body, resource.singular) as ApiObject;
  }

  async remove(resource: ResourceName, id: string): Promise<void> {
    await this.#request("DELETE", `${pathOf(resource)}/${encodeURIComponent(id)}`);
  }

  /** A member action; answers what the server says. */
  async act(
    resource: ResourceName,
    id: string,
    { action, body }: { readonly action: string; readonly body: ApiObject },
  ): Promise<ApiObject> {
    return (await this.#request("PUT", `${pathOf(resource)}/${id}/${action}`, body)) as ApiObject;
  }

  /** Where the answer says nothing. */
  async post(path: string, body: ApiObject): Promise<void> {
    await this.#request("POST", path, body);
  }

  /** The object that has this id or, when none has, the only one with this name. */
  async find(resource: ResourceName, nameOrId: string): Promise<ApiObject> {
    if (nameOrId === "") throw new CommandFailure(exitCodes.usage, `give the name or id of the ${resource.singular}`);
    if (isUuid(nameOrId)) {
      const [found] = await this.list(resource, [["id", nameOrId]]);
      if (found !== undefined) return found;
    }
    const { handle = "name" } = resource;
    const word = handle === "name" ? "name" : "address";
    const found = handle === "id" ? [] : await this.list(resource, [[handle, nameOrId]]);
    const [first] = found;
    if (first === undefined) {
      const words = handle === "id" ? "id" : `${word} or id`;
      throw new CommandFailure(exitCodes.notFound, `no ${resource.singular} has the ${words} ${nameOrId}`);
    }
    if (found.length > 1) {
      const ids = found.map((object) => String(object["id"])).join(", ");
      throw new CommandFailure(
        exitCodes.usage,
        `${found.length} ${resource.plural} have the ${word} ${nameOrId}, give the id: ${ids}`,
      );
    }
    return first;
  }

  async findId(resource: ResourceName, nameOrId: string): Promise<string> {
    return String((await this.find(resource, nameOrId))["id"]);
  }

  async #request(method: string, path: string, body?: ApiObject): Promise<unknown> {
    const response = await this.#ask(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new CommandFailure(exitCodeOfStatus(response.status), faultMessage(response, text));
    return text === "" ? undefined : parseJson(text, this.#url);
  }

  /** Logs in when the server asks for it, once. */
  async #ask(method: string, path: string, body: ApiObject | undefined): Promise<Response> {
    const response = await this.#send(method, path, body);
    if (response.status !== 401 || this.#token !== undefined) return response;
    await response.body?.cancel();
    this.#token = await this.#credentials.logIn();
    if (this.#token !== undefined) return this.#send(method, path, body);
    const hint = "give --os-token, NETLOOM_TOKEN or OS_TOKEN, or OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME";
    throw new CommandFailure(exitCodes.failure, `the server at ${this.#url} requires authentication: ${hint}`);
  }

  async #send(method: string, path: string, body: ApiObject | undefined): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.#token !== undefined) headers["x-auth-token"] = this.#token;
    if (body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(60_000) };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await fetch(`${this.#url}/v2.0/${path}`, init);
    } catch (thrown) {
      throw new CommandFailure(exitCodes.unreachable, `no server answers at ${this.#url}: ${networkReason(thrown)}`, thrown);
    }
  }
}

/** fetch says only "fetch failed"; the reason is in its cause. */
function networkReason(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause: unknown = thrown.cause;
  if (cause instanceof Error)
    return firstLine(
      ("code" in cause && typeof cause.code === "string" && cause.message === "" ? cause.code : cause.message) ||
        thrown.message,
    );
  return thrown.message;
}

/** OpenSSL speaks in several. */
const firstLine = (text: string): string => text.split("\n")[0] ?? text;

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new CommandFailure(exitCodes.failure, `what answers at ${url} is not a netloom server`, thrown);
  }
}

function readKey(body: unknown, key: string): unknown {
  if (typeof body === "object" && body !== null && key in body) return (body as Record<string, unknown>)[key];
  throw new CommandFailure(exitCodes.failure, `the answer has no ${key}`);
}

/** `{"NeutronError": {type, message, detail}}`, or whatever a proxy in between said. */
function faultMessage(response: Response, text: string): string {
  try {
    const fault = Object.values(JSON.parse(text) as object)[0] as { readonly message?: unknown } | string | undefined;
    const message = typeof fault === "object" ? fault.message : fault;
    if (typeof message === "string" && message !== "") return message.replaceAll("\n", " ");
  } catch {
    // Not JSON: the status line is all there is to say.
  }
  return `the server answered ${response.status} ${response.statusText}`.trim();
}
