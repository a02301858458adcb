// Keys of who may use the REST API, of the server and of `netloom up`.
import { isAbsolute } from "node:path";
import { z } from "zod";
import { isLoopback } from "./shared-keys.ts";

const file = z.string().refine(isAbsolute, "must be an absolute path");
const keystoneUrl = z.string().regex(/^https?:\/\/[^\s?#@"]+$/, "must be http://… or https://…, without a user");
const name = z.string().min(1, "must not be empty").max(255);

const keystone = z
  .strictObject({
    url: keystoneUrl.optional().describe("Keystone that says whose a token is, as http://identity.example:5000/v3"),
    publicUrl: keystoneUrl.optional().describe("Where clients without a token are told to get one; url when absent"),
    username: name.default("netloom").describe("Service user, who may look at tokens of others"),
    userDomain: name.default("Default").describe("Name of the domain of the service user"),
    passwordFile: file.optional().describe("File with the password of the service user; only its owner and group may read it"),
    project: name.default("service").describe("Project that the service user logs in to"),
    projectDomain: name.default("Default").describe("Name of the domain of that project"),
    cacheSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(300)
      .describe("How long an answer about a token is believed; a revoked token still works for so long"),
    negativeCacheSeconds: z.int().min(0).max(3600).default(30).describe("How long a refused token is refused without asking"),
    concurrency: z.int().min(1).max(256).default(16).describe("Tokens that Keystone is asked about at once"),
    timeoutMs: z.int().min(100).max(60_000).default(5000).describe("How long an answer of Keystone is waited for"),
  })
  .prefault({});

export const identity = {
  auth: z
    .enum(["none", "token", "keystone"])
    .default("none")
    .describe("Who may use the API; none: everybody is administrator, so only on loopback; token: see token_file; keystone"),
  forceAuthNone: z.boolean().default(false).describe("Accept auth none on an address that others can reach"),
  tokenFile: file
    .optional()
    .describe("JSON file of tokens, their users, projects and roles; only its owner and group may read it"),
  keystone,
};

interface Checked {
  readonly listen: { readonly address: string };
  readonly auth: string;
  readonly forceAuthNone: boolean;
  readonly tokenFile?: string | undefined;
  readonly keystone: { readonly url?: string | undefined; readonly passwordFile?: string | undefined };
}

/** For `superRefine` of a schema with these keys. */
export function refuseOpenApi(config: Checked, context: z.RefinementCtx): void {
  if (config.auth !== "none" || config.forceAuthNone || isLoopback(config.listen.address)) return;
  context.addIssue({
    code: "custom",
    path: ["listen"],
    message: `auth none gives everybody who can reach ${config.listen.address} full control: listen on loopback, give --auth token or keystone, or --force-auth-none`,
  });
}

/** For `superRefine` of a schema with these keys. */
export function refuseIncompleteIdentity({ auth, tokenFile, keystone: access }: Checked, context: z.RefinementCtx): void {
  const needed = [
    { of: "token", path: ["tokenFile"], value: tokenFile },
    { of: "keystone", path: ["keystone", "url"], value: access.url },
    { of: "keystone", path: ["keystone", "passwordFile"], value: access.passwordFile },
  ];
  for (const { of, path, value } of needed) {
    if (auth !== of || value !== undefined) continue;
    context.addIssue({ code: "custom", path, message: `must be given with auth ${of}` });
  }
}
