// The reply of an RPC: `{ok: true, result}` or `{ok: false, error: {code, message, detail}}`.
import { randomUUID } from "node:crypto";
import { type ErrorCode, NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

interface ReplyError {
  readonly code: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export type Reply = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: ReplyError };

const errorCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "NOT_FOUND",
  "CONFLICT",
  "INVALID",
  "UNAVAILABLE",
  "COMMAND_FAILED",
  "TIMEOUT",
  "FORBIDDEN",
]);

const isErrorCode = (text: unknown): text is ErrorCode => typeof text === "string" && errorCodes.has(text);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a handler threw, as the caller may see it. A bug is logged here and answered with a reference to that line. */
export function errorReply(thrown: unknown, subject: string, log: Logger): Reply {
  if (thrown instanceof NetloomError) {
    return { ok: false, error: { code: thrown.code, message: thrown.message, detail: thrown.detail } };
  }
  const reference = randomUUID();
  log.error({ err: thrown, subject, reference }, "request handler failed");
  // UNAVAILABLE and not a code of its own: the caller can do nothing but come back later.
  return {
    ok: false,
    error: { code: "UNAVAILABLE", message: `internal error, reference ${reference}`, detail: { reference } },
  };
}

/** The result, or the peer's error thrown as our own. Codes that only a newer peer knows become UNAVAILABLE. */
export function readReply(reply: unknown, subject: string): unknown {
  if (isRecord(reply) && reply["ok"] === true) return reply["result"];
  const error = isRecord(reply) && reply["ok"] === false ? reply["error"] : undefined;
  if (!isRecord(error)) throw new NetloomError("INVALID", `the reply to ${subject} is not an RPC reply`);
  const code = isErrorCode(error["code"]) ? error["code"] : "UNAVAILABLE";
  const detail = isRecord(error["detail"]) ? error["detail"] : {};
  throw new NetloomError(code, String(error["message"]), { ...detail });
}
