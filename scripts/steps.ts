// One command of `npm run check` or `npm test`: run, timed, its output kept for when it fails.
import { type ChildProcess, spawn } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const home = fileURLToPath(new URL("..", import.meta.url));
const binaries = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));
const reporter = fileURLToPath(new URL("./test-reporter.mjs", import.meta.url));
const summaryMark = "#summary ";
const startMark = "#start ";
const endMark = "#end ";
/** How the first line of a failure begins; indented lines after it are its reason. */
const failureMark = "FAILED ";
const failedFileMark = "#failed-file ";
const defaultLimitMs = 300_000;
/** How long the output may stay open after the end of the process. */
const graceMs = 1_000;

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Its output is printed also when it succeeds: reasons of skipped tests. */
  readonly isTest?: true;
  /** Milliseconds after which it is killed; five minutes if not said. */
  readonly limitMs?: number;
}

export interface StepResult {
  readonly name: string;
  readonly ms: number;
  readonly output: string;
  /** A check counts as one. */
  readonly counts: Counts;
  /** Test files in which something failed, below the repository. */
  readonly failedFiles: readonly string[];
}

export const addCounts = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

export const noCounts: Counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * Runs one step in a process group of its own. After `limitMs` the whole group is killed and the step counts as failed: a
 * test that spins must not take the rest of the run with it. Processes that a step leaves behind and that hold its output
 * open are not waited for.
 */
export async function runStep(step: Step): Promise<StepResult> {
  const [command = "", ...args] = step.command;
  const startedAt = performance.now();
  const env = { ...process.env, PATH: `${binaries}:${process.env["PATH"] ?? ""}`, NODE_TEST_CONTEXT: undefined };
  const child = spawn(command, args, { cwd: home, stdio: ["ignore", "pipe", "pipe"], env, detached: true });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  const limitMs = step.limitMs ?? defaultLimitMs;
  const exit = await endOf(child, limitMs);
  output += exit.note;
  if (exit.timedOut) output += `no end within ${limitMs / 1000} s: killed\n${unfinished(output)}`;
  const ms = Math.round(performance.now() - startedAt);
  const counts = readCounts(step, exit.code, output);
  // What was killed has no end, so nobody knows what else would have failed.
  return {
    name: step.name,
    ms,
    output: withoutMarks(output),
    counts,
    failedFiles: exit.timedOut ? [] : readFailedFiles(output),
  };
}

interface End {
  readonly code: number;
  readonly timedOut: boolean;
  readonly note: string;
}

function endOf(child: ChildProcess, limitMs: number): Promise<End> {
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, limitMs);
    const end = (code: number, note: string): void => {
      clearTimeout(timer);
      killGroup(child.pid);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code, timedOut, note });
    };
    child.once("error", (error) => end(127, error.message));
    child.once("exit", (code, signal) => {
      const exitCode = code ?? (signal === null ? 1 : 128);
      const grace = setTimeout(() => end(exitCode, "a process was left behind that held the output open\n"), graceMs);
      child.once("close", () => {
        clearTimeout(grace);
        end(exitCode, "");
      });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of the group have ended.
  }
}

/** The tests that had begun and not ended, by the marks of the reporter. */
function unfinished(output: string): string {
  const open = new Set<string>();
  for (const line of output.split("\n")) {
    if (line.startsWith(startMark)) open.add(line.slice(startMark.length));
    if (line.startsWith(endMark)) open.delete(line.slice(endMark.length));
  }
  return [...open].map((name) => `  unfinished: ${name}\n`).join("");
}

function readCounts(step: Step, exitCode: number, output: string): Counts {
  const single = exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
  if (step.isTest === undefined) return single;
  const line = output.split("\n").findLast((text) => text.startsWith(summaryMark));
  // Without a summary the runner itself died; then no number of passed tests means anything.
  if (line === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const counts = JSON.parse(line.slice(summaryMark.length)) as Counts;
  return exitCode !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function readFailedFiles(output: string): readonly string[] {
  const marked = output.split("\n").filter((line) => line.startsWith(failedFileMark));
  return [...new Set(marked.map((line) => line.slice(failedFileMark.length)))];
}

const withoutMarks = (output: string): string =>
  output
    .split("\n")
    .filter((line) => ![summaryMark, startMark, endMark, failedFileMark].some((mark) => line.startsWith(mark)))
    .join("\n");

export function testFiles(folder: string): readonly string[] {
  return globSync(`test/${folder}/**/*.test.ts`, { cwd: home }).sort();
}

export interface TestRun {
  readonly isolation: "none" | "process";
  readonly concurrency: number;
  readonly limitMs?: number;
}

export function testStep(name: string, files: readonly string[], run: TestRun): Step {
  const options = [
    "--test",
    `--test-isolation=${run.isolation}`,
    "--test-timeout=120000",
    `--test-reporter=${reporter}`,
    // A file whose tests have ended is over, whatever a failed one of them left running: it would keep the others waiting for ever.
    ...(run.isolation === "process" ? [`--test-concurrency=${run.concurrency}`, "--test-force-exit"] : []),
  ];
  const { limitMs = defaultLimitMs } = run;
  return { name, command: [process.execPath, ...options, ...files], isTest: true, limitMs };
}

/** Runs all, `width` at a time, and tells each when it has ended. */
export async function runSteps(steps: readonly Step[], width: number, onResult: (result: StepResult) => void): Promise<void> {
  const waiting = [...steps];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) onResult(await runStep(step));
  };
  await Promise.all(Array.from({ length: width }, lane));
}

export function printResult(result: StepResult, showOutput: boolean): void {
  const { passed, failed, skipped } = result.counts;
  const verdict = failed === 0 ? "ok    " : "FAILED";
  const numbers = passed + failed + skipped > 1 ? ` (${passed} passed, ${failed} failed, ${skipped} skipped)` : "";
  process.stdout.write(`${verdict} ${result.name} ${result.ms} ms${numbers}\n`);
  if ((showOutput || failed > 0) && result.output.trim() !== "")
    process.stdout.write(`${failuresFirst(result.output.trim())}\n`);
}

/** First lines of the failed tests of a step, for the end of a long run. */
export const failedTests = (output: string): readonly string[] =>
  output.split("\n").filter((line) => line.startsWith(failureMark));

/** Failures with their reasons before everything else: who reads only the beginning of a long output finds them. */
function failuresFirst(output: string): string {
  const failures: string[] = [];
  const others: string[] = [];
  let inFailure = false;
  for (const line of output.split("\n")) {
    inFailure = line.startsWith(failureMark) || (inFailure && line.startsWith("  "));
    (inFailure ? failures : others).push(line);
  }
  return [...failures, ...others].join("\n");
}
