// The one error class for everything that is not an answer of the REST API.

/** A closed set; exit codes and RPC statuses are derived from it in one table each. */
export type ErrorCode = "NOT_FOUND" | "CONFLICT" | "INVALID" | "UNAVAILABLE" | "COMMAND_FAILED" | "TIMEOUT" | "FORBIDDEN";

/** `code` is for programs, `message` for people, `detail` for the log line. */
export class NetloomError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, detail: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "NetloomError";
    this.code = code;
    this.detail = detail;
  }

  /** True when the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "TIMEOUT";
  }
}

/** The text of anything that was thrown, for one-line messages. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
