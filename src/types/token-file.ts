// The file of `auth: token`: who may use the API, by which token.
import { z } from "zod";
import { roles } from "./roles.ts";

const name = z.string().regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 printable ASCII characters without blanks");

const entry = z
  .strictObject({
    token: z
      .string()
      .regex(/^[\x21-\x7e]{16,512}$/, "must be 16 to 512 printable ASCII characters without blanks")
      .optional(),
    /** Instead of the token itself, so that who reads the file does not have it. */
    token_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of a token: 64 of 0–9 and a–f")
      .optional(),
    user: name,
    project: name,
    roles: z.array(z.enum(roles)).min(1, "must name a role"),
  })
  .refine((one) => (one.token === undefined) !== (one.token_sha256 === undefined), {
    error: "must have either token or token_sha256",
  });

export const tokenFileSchema = z.strictObject({ tokens: z.array(entry).max(10_000, "must be at most 10000 tokens") });

export type TokenFile = z.output<typeof tokenFileSchema>;
