// JSON lines on standard error, written synchronously so that the last line before a crash is kept.
import { pino } from "pino";
import { logOutput } from "./log-output.ts";

export interface LogFields {
  readonly [field: string]: unknown;
}

/** What the code may ask of a logger; field names are those of CONTRIBUTING.md. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** @param base fields that every line carries, such as `agent` and `host`. */
export function createLogger(level: LogLevel, base: LogFields = {}): Logger {
  return pino(
    {
      level,
      base,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    logOutput(),
  );
}

/** Throws every line away; for tests that do not look at logs. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
