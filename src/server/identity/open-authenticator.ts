// The settings → who decides whose a request is.
import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { errorText, NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Authenticator } from "./authenticator.ts";
import { headerIdentity } from "./header-identity.ts";
import { KeystoneClient } from "./keystone-client.ts";
import { KeystoneIdentity } from "./keystone-identity.ts";
import { TokenFileIdentity } from "./token-file.ts";

/** As in the settings of the same names. */
export interface KeystoneSettings {
  readonly url?: string | undefined;
  readonly publicUrl?: string | undefined;
  readonly username: string;
  readonly userDomain: string;
  readonly passwordFile?: string | undefined;
  readonly project: string;
  readonly projectDomain: string;
  readonly cacheSeconds: number;
  readonly negativeCacheSeconds: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

export interface IdentitySettings {
  readonly auth?: "none" | "token" | "keystone";
  readonly tokenFile?: string | undefined;
  readonly keystone?: KeystoneSettings;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Throws NetloomError INVALID when a file that it needs cannot be used; a Keystone that is not there yet is only logged. */
export async function openAuthenticator(settings: IdentitySettings, parts: Parts): Promise<Authenticator> {
  const { auth = "none", tokenFile, keystone } = settings;
  if (auth === "token") return TokenFileIdentity.open(given(tokenFile, "token_file"), parts);
  if (auth === "keystone") return openKeystone(given(keystone, "keystone"), parts);
  return headerIdentity;
}

async function openKeystone(settings: KeystoneSettings, { clock, log }: Parts): Promise<Authenticator> {
  const url = given(settings.url, "keystone.url");
  const passwordFile = given(settings.passwordFile, "keystone.password_file");
  await readPassword(passwordFile);
  const { username, userDomain, project, projectDomain, timeoutMs, concurrency, publicUrl = url } = settings;
  const login = async () => ({ username, userDomain, project, projectDomain, password: await readPassword(passwordFile) });
  const client = new KeystoneClient({ url, login, timeoutMs, clock });
  // Early, so that a wrong password is seen at the start and the first request waits less.
  client.serviceToken().catch((err: unknown) => log.warn({ err }, "service user cannot log in at Keystone yet"));
  const [cacheMs, negativeCacheMs] = [settings.cacheSeconds * 1000, settings.negativeCacheSeconds * 1000];
  return new KeystoneIdentity({ client, clock, publicUrl, cacheMs, negativeCacheMs, concurrency });
}

async function readPassword(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o007) !== 0) throw new Error("others than its owner and group may use it: chmod o= it");
    const password = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
    if (password === "") throw new Error("it is empty");
    return password;
  } catch (thrown) {
    throw new NetloomError("INVALID", `cannot use password file ${path}: ${errorText(thrown)}`);
  }
}

/** The settings have been checked: what `auth` needs is there. */
function given<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new NetloomError("INVALID", `${name} must be given for this value of auth`);
  return value;
}
