// Who a request is from, as the API asks it. One implementation for each value of the setting `auth`.
import type { IncomingHttpHeaders } from "node:http";
import type { Role } from "../../types/roles.ts";

export interface Identity {
  readonly userId: string;
  readonly projectId: string;
  /** With all that they imply. */
  readonly roles: ReadonlySet<Role>;
}

export interface Authenticator {
  /**
   * Throws Unauthenticated when the headers prove nobody, and ApiFault ServiceUnavailable when it cannot be found out now.
   * Never keeps, logs or answers a token.
   */
  identify(headers: IncomingHttpHeaders): Promise<Identity>;
}

/** 401; `challenge` is the text of WWW-Authenticate, which says what would be taken. */
export class Unauthenticated extends Error {
  readonly challenge: string;

  constructor(challenge: string) {
    super("The request you have made requires authentication.");
    this.name = "Unauthenticated";
    this.challenge = challenge;
  }
}

const tokenHeader = "x-auth-token";
/** No service makes longer ones; checked before it costs anything. */
const token = /^[\x21-\x7e]{1,8192}$/;

/** `undefined`: there is none, or it cannot be one. */
export function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const value = headers[tokenHeader];
  return typeof value === "string" && token.test(value) ? value : undefined;
}
