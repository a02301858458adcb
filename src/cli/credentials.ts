// As whom the command line asks: with a token that it is given, or one that a Keystone gives for the OS_* variables of other clients.
import type { Environment } from "../config/settings.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export interface Credentials {
  readonly token?: string | undefined;
  /** Asked when the server takes no request without a token; `undefined` when there is nothing to log in with. */
  logIn(): Promise<string | undefined>;
}

export const noCredentials: Credentials = { logIn: async () => undefined };

const loginTimeoutMs = 30_000;

/** @param given by --os-token or NETLOOM_TOKEN; OS_TOKEN is what other clients read */
export function credentialsOf(given: string | undefined, env: Environment = process.env): Credentials {
  return { token: given || env["OS_TOKEN"] || undefined, logIn: () => logInByPassword(env) };
}

/** Only when a server asks for it: the variables may be of a cloud that has nothing to do with this server. */
async function logInByPassword(env: Environment): Promise<string | undefined> {
  const { OS_AUTH_URL: url, OS_USERNAME: username, OS_PASSWORD: password, OS_PROJECT_NAME: project } = env;
  if (!url || !username || !password || !project) return undefined;
  const { passwordLogin, subjectTokenHeader, tokensUrl } = await import("../types/keystone.ts");
  const userDomain = env["OS_USER_DOMAIN_NAME"] ?? "Default";
  const projectDomain = env["OS_PROJECT_DOMAIN_NAME"] ?? "Default";
  const response = await send(
    tokensUrl(url),
    JSON.stringify(passwordLogin({ username, userDomain, password, project, projectDomain })),
  );
  const token = response.headers.get(subjectTokenHeader);
  await response.body?.cancel();
  if (response.status === 201 && token !== null) return token;
  const why = response.status === 401 ? "refuses the login" : `answered ${response.status} to the login`;
  throw new CommandFailure(exitCodes.failure, `Keystone at ${url} ${why} of ${username} in project ${project}`);
}

async function send(url: string, body: string): Promise<Response> {
  try {
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(loginTimeoutMs);
    return await fetch(`${url}?nocatalog`, { method: "POST", body, headers, redirect: "error", signal });
  } catch (thrown) {
    throw new CommandFailure(exitCodes.unreachable, `no Keystone answers at ${new URL(url).origin}`, thrown);
  }
}
