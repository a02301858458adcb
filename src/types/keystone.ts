// What netloom says to a Keystone (v3) and reads of its answers: https://docs.openstack.org/api-ref/identity/v3/.
import { z } from "zod";

export interface KeystoneLogin {
  readonly username: string;
  /** Name of the domain that the user is of. */
  readonly userDomain: string;
  readonly password: string;
  readonly project: string;
  readonly projectDomain: string;
}

/** Body of POST /v3/auth/tokens: a token for one project, by password. */
export function passwordLogin({ username, userDomain, password, project, projectDomain }: KeystoneLogin): object {
  const user = { name: username, domain: { name: userDomain }, password };
  return {
    auth: {
      identity: { methods: ["password"], password: { user } },
      scope: { project: { name: project, domain: { name: projectDomain } } },
    },
  };
}

/** `http://host:5000`, `…/v3` and `…/identity` → where tokens are. */
export function tokensUrl(url: string): string {
  const base = url.replace(/\/+$/, "");
  return `${base.endsWith("/v3") ? base : `${base}/v3`}/auth/tokens`;
}

/** The header that a token comes in after a login. */
export const subjectTokenHeader = "x-subject-token";

const id = z.string().min(1).max(255);

/** Body of an answer about a token. One that is of no project has no `project`. */
export const keystoneToken = z.object({
  token: z.object({
    expires_at: z.iso.datetime({ offset: true }),
    user: z.object({ id }),
    project: z.object({ id }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
  }),
});

export type KeystoneToken = z.output<typeof keystoneToken>["token"];
