// Anything that was thrown → status and body of an answer. Only what is not a fault of the client is logged.
import { errorText, NetloomError, type ErrorCode } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { ApiFault, type FaultType } from "../../types/api-faults.ts";

export interface FaultBody {
  readonly NeutronError: { readonly type: FaultType; readonly message: string; readonly detail: "" };
}

const typeOfCode: Readonly<Record<ErrorCode, FaultType>> = {
  NOT_FOUND: "HTTPNotFound",
  INVALID: "BadRequest",
  CONFLICT: "HTTPConflict",
  FORBIDDEN: "NotAuthorized",
  UNAVAILABLE: "ServiceUnavailable",
  TIMEOUT: "ServiceUnavailable",
  COMMAND_FAILED: "HTTPInternalServerError",
};

// What fastify itself refuses, by the status that it gives.
const typeOfStatus: Readonly<Record<number, FaultType>> = {
  400: "HTTPBadRequest",
  404: "HTTPNotFound",
  405: "HTTPMethodNotAllowed",
  413: "HTTPRequestEntityTooLarge",
  414: "HTTPBadRequest",
  415: "HTTPUnsupportedMediaType",
  503: "ServiceUnavailable",
};

export function faultBody(type: FaultType, message: string): FaultBody {
  return { NeutronError: { type, message, detail: "" } };
}

interface RequestFacts {
  readonly requestId: string;
  readonly traceId: string;
}

/** The fault to answer with. An unknown error is a bug: logged with its stack, answered with nothing but a reference. */
export function toFault(thrown: unknown, request: RequestFacts, log: Logger): ApiFault {
  if (thrown instanceof ApiFault) {
    // The client is told what it means; why it is so is in the cause.
    if (thrown.status >= 500 && thrown.cause !== undefined)
      log.warn({ ...request, err: thrown }, "request could not be served");
    return thrown;
  }
  const known = knownFault(thrown);
  if (known !== undefined && known.status < 500) return known;
  const err = thrown instanceof Error ? thrown : new Error(errorText(thrown));
  if (known !== undefined && known.status === 503) {
    log.warn({ ...request, err }, "request could not be served");
    return known;
  }
  log.error({ ...request, err, stack: err.stack }, "request failed");
  return new ApiFault(
    "HTTPInternalServerError",
    `Request failed: an internal error, logged with the reference ${request.requestId}.`,
  );
}

function knownFault(thrown: unknown): ApiFault | undefined {
  if (thrown instanceof NetloomError) return new ApiFault(typeOfCode[thrown.code], thrown.message, thrown);
  if (!(thrown instanceof Error) || !("statusCode" in thrown) || typeof thrown.statusCode !== "number") return undefined;
  const type = typeOfStatus[thrown.statusCode];
  return type === undefined ? undefined : new ApiFault(type, thrown.message, thrown);
}
