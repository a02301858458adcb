// What the exit status of `netloom` means; `netloom --help` says the same.
import type { ErrorCode } from "../base/errors.ts";

export const exitCodes = { ok: 0, failure: 1, usage: 2, notFound: 3, conflict: 4, unreachable: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byErrorCode: Readonly<Record<ErrorCode, ExitCode>> = {
  NOT_FOUND: exitCodes.notFound,
  CONFLICT: exitCodes.conflict,
  INVALID: exitCodes.usage,
  UNAVAILABLE: exitCodes.unreachable,
  TIMEOUT: exitCodes.unreachable,
  COMMAND_FAILED: exitCodes.failure,
  FORBIDDEN: exitCodes.failure,
};

export function exitCodeOf(code: ErrorCode): ExitCode {
  return byErrorCode[code];
}

/** For an answer of the API that is not a success. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 404) return exitCodes.notFound;
  if (status === 409 || status === 412) return exitCodes.conflict;
  return status === 503 ? exitCodes.unreachable : exitCodes.failure;
}

/** Ends the command with one line on standard error. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}
