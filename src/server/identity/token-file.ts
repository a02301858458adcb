// `auth: token`: a file says who may use the API. It is looked at again while requests come; what is wrong with a new content is
// logged, and the old one stays in force.
import { createHash, timingSafeEqual } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import type { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { errorText, NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { rolesOf } from "../../types/roles.ts";
import { type TokenFile, tokenFileSchema } from "../../types/token-file.ts";
import { type Authenticator, type Identity, tokenOf, Unauthenticated } from "./authenticator.ts";

/** So long a change of the file may stay unseen. */
const lookAgainMs = 1000;
const challenge = 'X-Auth-Token realm="netloom"';

interface Known {
  readonly hash: Buffer;
  readonly identity: Identity;
}

interface Content {
  readonly known: readonly Known[];
  /** Tells one state of the file from another. */
  readonly signature: string;
}

export interface TokenFileParts {
  readonly clock: Clock;
  readonly log: Logger;
}

export class TokenFileIdentity implements Authenticator {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  #content: Content;
  #lookedAtMs: number;
  #looking: Promise<void> | undefined;

  constructor(path: string, content: Content, { clock, log }: TokenFileParts) {
    this.#path = path;
    this.#content = content;
    this.#clock = clock;
    this.#log = log;
    this.#lookedAtMs = clock.monotonicMs();
  }

  /** Throws NetloomError INVALID, in one line without a word of any token, when the file cannot be used. */
  static async open(path: string, parts: TokenFileParts): Promise<TokenFileIdentity> {
    return new TokenFileIdentity(path, await readContent(path), parts);
  }

  async identify(headers: IncomingHttpHeaders): Promise<Identity> {
    if (this.#clock.monotonicMs() - this.#lookedAtMs >= lookAgainMs) this.#looking ??= this.#lookAgain();
    await this.#looking;
    const token = tokenOf(headers);
    const found = token === undefined ? undefined : find(this.#content.known, hashOf(token));
    if (found === undefined) throw new Unauthenticated(challenge);
    return found;
  }

  async #lookAgain(): Promise<void> {
    let signature = "missing";
    try {
      signature = signatureOf(await stat(this.#path, { bigint: true }));
      if (signature === this.#content.signature) return;
      this.#content = await readContent(this.#path);
      this.#log.info({ outcome: `${this.#content.known.length} tokens` }, "token file was read again");
    } catch (err) {
      // Once for each content.
      if (signature === this.#content.signature) return;
      this.#content = { ...this.#content, signature };
      this.#log.error({ err }, "token file cannot be used, the tokens read before stay in force");
    } finally {
      this.#lookedAtMs = this.#clock.monotonicMs();
      this.#looking = undefined;
    }
  }
}

/** All are compared, so that the time tells nothing of which one was near. */
function find(known: readonly Known[], hash: Buffer): Identity | undefined {
  let found: Identity | undefined;
  for (const each of known) if (timingSafeEqual(each.hash, hash)) found = each.identity;
  return found;
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const signatureOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string => [dev, ino, size, mtimeNs, ctimeNs].join(" ");

async function readContent(path: string): Promise<Content> {
  try {
    const found = await stat(path, { bigint: true });
    if ((found.mode & 0o007n) !== 0n) throw new Error("others than its owner and group may use it: chmod o= it");
    const file = parse(await readFile(path, "utf8"));
    return { known: knownOf(file), signature: signatureOf(found) };
  } catch (thrown) {
    throw new NetloomError("INVALID", `cannot use token file ${path}: ${errorText(thrown)}`);
  }
}

function parse(text: string): TokenFile {
  const checked = tokenFileSchema.safeParse(parseJson(text));
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new Error(issue === undefined ? "it is not accepted" : problemOf(issue));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    // What was thrown quotes the text, which has tokens in it.
    const [place = "somewhere"] = /position \d+( \(line \d+ column \d+\))?/.exec(errorText(thrown)) ?? [];
    throw new Error(`it is not JSON at ${place}`);
  }
}

/** By the place, never by the text: a token may be where a name should be. */
function problemOf(issue: z.core.$ZodIssue): string {
  const steps = issue.path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  const where = steps.join("").replace(/^\./, "") || "the file";
  if (issue.code === "unrecognized_keys") return `${where} has a key that is not known`;
  if (issue.code === "invalid_value") return `${where} must be one of ${issue.values.join(", ")}`;
  if (issue.code === "invalid_type") return `${where} must be ${issue.expected === "string" ? "a text" : issue.expected}`;
  return `${where} ${issue.message}`;
}

function knownOf({ tokens }: TokenFile): readonly Known[] {
  const places = new Map<string, number>();
  return tokens.map(({ token, token_sha256, user, project, roles }, index) => {
    const hash = token === undefined ? Buffer.from(token_sha256 ?? "", "hex") : hashOf(token);
    const other = places.get(hash.toString("hex"));
    if (other !== undefined) throw new Error(`tokens[${index}] has the token of tokens[${other}]`);
    places.set(hash.toString("hex"), index);
    return { hash, identity: { userId: user, projectId: project, roles: rolesOf(roles) } };
  });
}
