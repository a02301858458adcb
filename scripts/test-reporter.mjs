// Reporter of `node --test` for scripts/test.ts: failures with their reason, skipped tests with theirs, one line for each
// file, and the counts as the last line.
import { relative } from "node:path";
import { inspect } from "node:util";

const summaryMark = "#summary ";
// scripts/steps.ts tells by these which tests had not ended when it killed a run.
const startMark = "#start ";
const endMark = "#end ";
// scripts/test.ts runs these once more.
const failedFileMark = "#failed-file ";

/** @param {AsyncIterable<{type: string, data: any}>} events */
export default async function* reporter(events) {
  for await (const { type, data } of events) {
    if (type === "test:start") yield `${startMark}${label(data)}\n`;
    if (type === "test:pass" || type === "test:fail") yield `${endMark}${label(data)}\n`;
    if (type === "test:fail" && !isFileOfFailures(data)) yield failure(data);
    if (type === "test:fail" && data.name.endsWith(".test.ts"))
      yield `${failedFileMark}${relative(process.cwd(), data.name)}\n`;
    if (type === "test:pass" && data.skip !== undefined && data.skip !== false) yield skipped(data);
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if (type === "test:summary") yield summary(data);
  }
}

/** A file or suite that failed only because of what is in it has been told already. */
const isFileOfFailures = (data) => data.details?.error?.failureType === "subtestsFailed";

const place = (data) => (data.file === undefined ? "" : ` (${relative(process.cwd(), data.file)}:${data.line})`);

const label = (data) => `${data.name}${place(data)}`.replaceAll("\n", " ");

function failure(data) {
  const error = data.details?.error;
  const reason = error?.cause ?? error;
  return `FAILED ${data.name}${place(data)}\n${indent(inspect(reason, { depth: 4 }))}\n`;
}

function skipped(data) {
  const reason = typeof data.skip === "string" && data.skip !== "" ? `: ${data.skip}` : "";
  return `skipped ${data.name}${place(data)}${reason}\n`;
}

function summary({ file, counts, duration_ms: ms }) {
  if (file !== undefined) {
    const path = relative(process.cwd(), file);
    const mark = counts.failed + counts.cancelled > 0 ? `${failedFileMark}${path}\n` : "";
    return `${path} ${counts.passed} passed in ${Math.round(ms)} ms\n${mark}`;
  }
  const { passed, failed, cancelled, skipped: left, todo } = counts;
  return `${summaryMark}${JSON.stringify({ passed, failed: failed + cancelled, skipped: left + todo })}\n`;
}

const indent = (text) => text.replaceAll(/^/gm, "  ");
