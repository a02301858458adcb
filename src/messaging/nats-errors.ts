// What the NATS client throws, in our words. A missing permission arrives in three ways (the request, the callback of the
// subscription, the status of the connection); all three carry PermissionViolationError.
import { NoRespondersError, PermissionViolationError, RequestError, TimeoutError } from "@nats-io/transport-node";
import { errorText, NetloomError } from "../base/errors.ts";

const causes = function* (thrown: unknown): Generator<unknown> {
  for (let at = thrown; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) yield at;
};

const has = (thrown: unknown, kind: new (...args: never[]) => Error): boolean => {
  for (const at of causes(thrown)) if (at instanceof kind) return true;
  return false;
};

export const isPermissionError = (thrown: unknown): boolean => has(thrown, PermissionViolationError);

export function requestFailure(thrown: unknown, subject: string, timeoutMs: number): NetloomError {
  if (thrown instanceof NetloomError) return thrown;
  if (isPermissionError(thrown)) return new NetloomError("FORBIDDEN", `not allowed to use ${subject}`, {}, thrown);
  if (has(thrown, TimeoutError)) return new NetloomError("TIMEOUT", `no answer to ${subject} in ${timeoutMs} ms`, {}, thrown);
  if (has(thrown, NoRespondersError) || (thrown instanceof RequestError && thrown.isNoResponders())) {
    return new NetloomError("UNAVAILABLE", `nobody serves ${subject}`, {}, thrown);
  }
  return new NetloomError("UNAVAILABLE", `request to ${subject} failed: ${errorText(thrown)}`, {}, thrown);
}
