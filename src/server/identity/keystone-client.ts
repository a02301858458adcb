// Asks a Keystone whose token it is. For that it has a token of its own, as the service user, and gets another before that ends.
import type { Clock } from "../../base/clock.ts";
import { errorText, NetloomError } from "../../base/errors.ts";
import {
  type KeystoneLogin,
  type KeystoneToken,
  keystoneToken,
  passwordLogin,
  subjectTokenHeader,
  tokensUrl,
} from "../../types/keystone.ts";

export interface KeystoneAccess {
  readonly url: string;
  /** Read at every login, so that a new password needs no restart. */
  readonly login: () => Promise<KeystoneLogin>;
  /** Of one request. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

interface ServiceToken {
  readonly token: string;
  readonly renewAtMs: number;
}

/** A Keystone locks users out that fail too often. */
const pauseAfterFailedLoginMs = 5000;
/** So long before its end the service user's token is given up, or a tenth of its life. */
const renewBeforeMs = 60_000;

export class KeystoneClient {
  readonly #access: KeystoneAccess;
  readonly #tokensUrl: string;
  #service: ServiceToken | undefined;
  #loggingIn: Promise<ServiceToken> | undefined;
  #failure: { readonly thrown: unknown; readonly untilMs: number } | undefined;

  constructor(access: KeystoneAccess) {
    this.#access = access;
    this.#tokensUrl = tokensUrl(access.url);
  }

  /** `undefined`: it is no token, or no longer. Throws NetloomError UNAVAILABLE when Keystone does not say. */
  async validate(token: string): Promise<KeystoneToken | undefined> {
    const first = await this.serviceToken();
    let response = await this.#askAbout(token, first);
    if (response.status === 401) {
      // Ours was revoked, or Keystone has other keys now.
      await response.body?.cancel();
      if (this.#service === first) this.#service = undefined;
      response = await this.#askAbout(token, await this.serviceToken());
    }
    if (response.status === 200) return readToken(response);
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw unavailable(`Keystone answered ${response.status} when asked about a token`);
  }

  /** The service user's, by a login where there is none that is good for a while. */
  async serviceToken(): Promise<ServiceToken> {
    const nowMs = this.#access.clock.monotonicMs();
    if (this.#service !== undefined && nowMs < this.#service.renewAtMs) return this.#service;
    if (this.#failure !== undefined && nowMs < this.#failure.untilMs) throw this.#failure.thrown;
    this.#loggingIn ??= this.#logIn().finally(() => {
      this.#loggingIn = undefined;
    });
    return this.#loggingIn;
  }

  async #logIn(): Promise<ServiceToken> {
    try {
      this.#service = await this.#askForServiceToken();
      this.#failure = undefined;
      return this.#service;
    } catch (thrown) {
      this.#failure = { thrown, untilMs: this.#access.clock.monotonicMs() + pauseAfterFailedLoginMs };
      throw thrown;
    }
  }

  async #askForServiceToken(): Promise<ServiceToken> {
    const { clock, login } = this.#access;
    const body = JSON.stringify(passwordLogin(await login()));
    const headers = { "content-type": "application/json" };
    const response = await this.#fetch("?nocatalog", { method: "POST", headers, body });
    const token = response.headers.get(subjectTokenHeader);
    if (response.status !== 201 || token === null) {
      await response.body?.cancel();
      throw unavailable(`Keystone answered ${response.status} to the login of the service user`);
    }
    const leftMs = Date.parse((await readToken(response)).expires_at) - clock.nowMs();
    return { token, renewAtMs: clock.monotonicMs() + leftMs - Math.min(renewBeforeMs, leftMs / 10) };
  }

  #askAbout(token: string, service: ServiceToken): Promise<Response> {
    const headers = { "x-auth-token": service.token, [subjectTokenHeader]: token };
    return this.#fetch("?nocatalog", { headers });
  }

  async #fetch(query: string, init: RequestInit): Promise<Response> {
    try {
      const signal = AbortSignal.timeout(this.#access.timeoutMs);
      return await fetch(`${this.#tokensUrl}${query}`, { ...init, redirect: "error", signal });
    } catch (thrown) {
      throw unavailable(`Keystone at ${this.#access.url} does not answer: ${reasonOf(thrown)}`);
    }
  }
}

async function readToken(response: Response): Promise<KeystoneToken> {
  try {
    return keystoneToken.parse(await response.json()).token;
  } catch {
    // Not what was thrown: it could have a piece of the answer in it.
    throw unavailable("what Keystone answered about a token cannot be read");
  }
}

/** fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(thrown: unknown): string {
  const cause: unknown = thrown instanceof Error ? thrown.cause : undefined;
  return errorText(cause ?? thrown) || "no reason given";
}

function unavailable(message: string): NetloomError {
  return new NetloomError("UNAVAILABLE", message);
}
