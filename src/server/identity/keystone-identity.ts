// `auth: keystone`: a Keystone says whose token it is.
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { NetloomError } from "../../base/errors.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { KeystoneToken } from "../../types/keystone.ts";
import { rolesOf } from "../../types/roles.ts";
import { type Authenticator, type Identity, tokenOf, Unauthenticated } from "./authenticator.ts";
import type { KeystoneClient } from "./keystone-client.ts";
import { TokenCache, type Verdict } from "./token-cache.ts";
import { WorkLimit } from "./work-limit.ts";

/** Tokens that wait for their turn at Keystone, for each that is being asked about. */
const waitingPerPlace = 64;

export interface KeystoneIdentityParts {
  readonly client: Pick<KeystoneClient, "validate">;
  readonly clock: Clock;
  /** Where clients are told to get a token. */
  readonly publicUrl: string;
  readonly cacheMs: number;
  readonly negativeCacheMs: number;
  /** Tokens that Keystone is asked about at once. */
  readonly concurrency: number;
}

export class KeystoneIdentity implements Authenticator {
  readonly #parts: KeystoneIdentityParts;
  readonly #cache: TokenCache;
  readonly #limit: WorkLimit;

  constructor(parts: KeystoneIdentityParts) {
    this.#parts = parts;
    this.#cache = new TokenCache(parts);
    this.#limit = new WorkLimit({ atOnce: parts.concurrency, waiting: parts.concurrency * waitingPerPlace });
  }

  async identify(headers: IncomingHttpHeaders): Promise<Identity> {
    const token = tokenOf(headers);
    const found = token === undefined ? undefined : await this.#lookUp(token);
    if (found === undefined) throw new Unauthenticated(`Keystone uri="${this.#parts.publicUrl}"`);
    return found;
  }

  async #lookUp(token: string): Promise<Identity | undefined> {
    try {
      return await this.#cache.lookUp(token, (one) => this.#limit.run(() => this.#ask(one)));
    } catch (thrown) {
      if (!(thrown instanceof NetloomError)) throw thrown;
      throw new ApiFault("ServiceUnavailable", "The identity service cannot be asked at this moment.", thrown);
    }
  }

  async #ask(token: string): Promise<Verdict> {
    const found = await this.#parts.client.validate(token);
    return found === undefined ? "refused" : verdictOf(found);
  }
}

function verdictOf({ user, project, roles, expires_at }: KeystoneToken): Verdict {
  const names = roles.map(({ name }) => name);
  const identity = { userId: user.id, projectId: project?.id ?? "", roles: rolesOf(names) };
  return { identity, expiresAtMs: Date.parse(expires_at) };
}
