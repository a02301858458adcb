// A small Keystone (v3) for tests: users with passwords and roles in projects, tokens, a catalog. Enough for netloom to ask about
// tokens, and for keystoneauth (the openstack client, the SDK) to log in.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";

export interface KeystoneUser {
  readonly name: string;
  readonly password: string;
  readonly project: string;
  readonly roles: readonly string[];
}

interface Token {
  readonly id: string;
  readonly user: KeystoneUser;
  readonly isScoped: boolean;
  readonly expiresAtMs: number;
}

interface LoginBody {
  readonly auth?: {
    readonly identity?: {
      readonly password?: { readonly user?: { readonly name?: string; readonly password?: string } };
      readonly token?: { readonly id?: string };
    };
    readonly scope?: { readonly project?: { readonly name?: string; readonly id?: string } };
  };
}

const domain = { id: "default", name: "Default" };

export class KeystoneStandIn {
  readonly #server: Server;
  readonly #users: readonly KeystoneUser[];
  readonly #tokens = new Map<string, Token>();
  /** URL of the network service in the catalog. */
  networkUrl = "http://127.0.0.1:9696";
  tokenLifeMs = 3_600_000;
  /** Answered to whatever is asked about tokens, when set. */
  failure: number | undefined;
  /** Held back until it resolves. */
  pause: Promise<void> = Promise.resolve();
  logins = 0;
  /** How often it was asked whose a token is. */
  questions = 0;
  askedAtOnce = 0;
  mostAtOnce = 0;

  constructor(users: readonly KeystoneUser[]) {
    this.#users = users;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((thrown: unknown) => send(response, 500, { error: { message: String(thrown) } }));
    });
  }

  static async start(users: readonly KeystoneUser[]): Promise<KeystoneStandIn> {
    const keystone = new KeystoneStandIn(users);
    keystone.#server.listen(0, "127.0.0.1");
    await once(keystone.#server, "listening");
    return keystone;
  }

  /** With /v3. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("Keystone does not listen");
    return `http://127.0.0.1:${address.port}/v3`;
  }

  /** As after a login. */
  issue(name: string, { isScoped = true, lifeMs = this.tokenLifeMs } = {}): string {
    const user = this.#users.find((each) => each.name === name);
    if (user === undefined) throw new Error(`no user ${name}`);
    const id = `gAAAA${randomUUID().replaceAll("-", "")}`;
    this.#tokens.set(id, { id, user, isScoped, expiresAtMs: Date.now() + lifeMs });
    return id;
  }

  revoke(id: string): void {
    this.#tokens.delete(id);
  }

  revokeAll(): void {
    this.#tokens.clear();
  }

  projectIdOf = (name: string): string => Buffer.from(name.padEnd(16, ".")).toString("hex").slice(0, 32);

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.url);
    if (pathname === "/v3/auth/tokens") {
      await this.pause;
      if (this.failure !== undefined) return send(response, this.failure, { error: { code: this.failure } });
      return request.method === "POST" ? this.#logIn(request, response) : this.#describe(request, response);
    }
    const version = { id: "v3.14", status: "stable", links: [{ rel: "self", href: `${this.url}/` }] };
    if (pathname === "/v3" || pathname === "/v3/") return send(response, 200, { version });
    if (pathname === "/") return send(response, 300, { versions: { values: [version] } });
    send(response, 404, { error: { code: 404, title: "Not Found", message: pathname } });
  }

  async #logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.logins += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { auth } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as LoginBody;
    const user = this.#userOf(auth);
    const project = auth?.scope?.project;
    const isOwn = (one: KeystoneUser): boolean =>
      project?.name === one.project || project?.id === this.projectIdOf(one.project);
    if (user === undefined || (project !== undefined && !isOwn(user))) return send(response, 401, { error: { code: 401 } });
    const token = this.#tokens.get(this.issue(user.name, { isScoped: project !== undefined }));
    if (token === undefined) throw new Error("no token was made");
    send(response, 201, this.#bodyOf(token), { "x-subject-token": token.id });
  }

  #userOf(auth: LoginBody["auth"]): KeystoneUser | undefined {
    const byPassword = auth?.identity?.password?.user;
    if (byPassword === undefined) return this.#tokens.get(auth?.identity?.token?.id ?? "")?.user;
    return this.#users.find(({ name, password }) => name === byPassword.name && password === byPassword.password);
  }

  async #describe(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asker = this.#valid(request.headers["x-auth-token"]);
    if (asker === undefined) return send(response, 401, { error: { code: 401 } });
    this.questions += 1;
    this.askedAtOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.askedAtOnce);
    // Others that are under way come in now.
    await new Promise((resolve) => setImmediate(resolve));
    this.askedAtOnce -= 1;
    if (!asker.user.roles.some((role) => role === "admin" || role === "service")) {
      return send(response, 403, { error: { code: 403 } });
    }
    const token = this.#valid(request.headers["x-subject-token"]);
    if (token === undefined) return send(response, 404, { error: { code: 404 } });
    send(response, 200, this.#bodyOf(token));
  }

  #valid(id: string | readonly string[] | undefined): Token | undefined {
    const token = this.#tokens.get(String(id));
    return token !== undefined && token.expiresAtMs > Date.now() ? token : undefined;
  }

  #bodyOf({ user, isScoped, expiresAtMs }: Token): object {
    const endpoint = (url: string) => ["public", "internal", "admin"].map((kind) => ({ interface: kind, region: "one", url }));
    const service = (type: string, name: string, url: string) => ({ type, name, id: name, endpoints: endpoint(url) });
    const scope = {
      project: { id: this.projectIdOf(user.project), name: user.project, domain },
      roles: user.roles.map((name) => ({ id: name, name })),
      catalog: [service("identity", "keystone", this.url), service("network", "netloom", this.networkUrl)],
    };
    return {
      token: {
        methods: ["password"],
        user: { id: `id-of-${user.name}`, name: user.name, domain },
        issued_at: new Date().toISOString(),
        expires_at: new Date(expiresAtMs).toISOString(),
        ...(isScoped ? scope : {}),
      },
    };
  }
}

function send(response: ServerResponse, status: number, body: object, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
