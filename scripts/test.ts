// `npm test`: the checks and every test that this machine can run. The last line is `N passed, N failed, N skipped`.
import { checkSteps } from "./check-steps.ts";
import {
  addCounts,
  type Counts,
  failedTests,
  noCounts,
  printResult,
  runStep,
  runSteps,
  type Step,
  testFiles,
  testStep,
} from "./steps.ts";

const isRoot = process.getuid?.() === 0;
const startedAt = performance.now();
let counts = noCounts;
const failures: string[] = [];
/** Failed beside others, passed alone. */
const unsteady: string[] = [];
/** More than these are no accident of a busy machine. */
const maxUnsteadyFiles = 3;

/** @param width steps at the same time */
async function run(steps: readonly Step[], width: number): Promise<void> {
  await runSteps(steps, width, (result) => {
    printResult(result, result.name.startsWith("tests"));
    tally(result.counts, result.output);
  });
}

function tally(added: Counts, output: string): void {
  counts = addCounts(counts, added);
  failures.push(...failedTests(output));
}

/**
 * Tests of real programs in real namespaces. Files in which something failed are run once more, alone: what passes then was
 * a matter of the machine's load. It is named at the end, and does not make the run fail.
 */
async function runReal(name: string, files: readonly string[], concurrency: number): Promise<void> {
  const options = { isolation: "process", limitMs: 1_080_000 } as const;
  const first = await runStep(testStep(name, files, { ...options, concurrency }));
  printResult(first, true);
  const { failedFiles, output } = first;
  if (failedFiles.length === 0 || failedFiles.length > maxUnsteadyFiles) return tally(first.counts, output);
  const second = await runStep(testStep(`${name}, once more and alone`, failedFiles, { ...options, concurrency: 1 }));
  printResult(second, true);
  if (second.counts.failed > 0) return tally(first.counts, output);
  const { passed, failed, skipped } = first.counts;
  counts = addCounts(counts, { passed: passed + failed, failed: 0, skipped });
  unsteady.push(...failedTests(output));
}

function skip(files: readonly string[], reason: string): void {
  for (const file of files) process.stdout.write(`skipped ${file}: ${reason}\n`);
  counts = addCounts(counts, { passed: 0, failed: 0, skipped: files.length });
}

await run(checkSteps(), 2);
const needRoot = [...testFiles("netns"), ...testFiles("e2e")];
const parallel = [
  ...testFiles("system"),
  ...testFiles("contract"),
  ...testFiles("nats"),
  ...(isRoot ? testFiles("netns") : []),
];
await runReal("tests with databases, NATS and namespaces", parallel, 2);
if (isRoot) {
  // One at a time: they measure how long a start and an end take, and two would share two cores.
  await runReal("tests of the whole", testFiles("e2e"), 1);
} else {
  skip(needRoot, "needs root, because it makes network namespaces");
}
for (const failure of unsteady) process.stdout.write(`unsteady: ${failure}\n`);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.stdout.write(`took ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
