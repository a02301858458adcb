// `npm test`: the checks and every test that this machine can run. The last line is `N passed, N failed, N skipped`.
import { checkSteps } from "./check-steps.ts";
import { addCounts, failedTests, noCounts, printResult, runSteps, type Step, testFiles, testStep } from "./steps.ts";

const isRoot = process.getuid?.() === 0;
const startedAt = performance.now();
let counts = noCounts;
const failures: string[] = [];

/** @param width steps at the same time */
async function run(steps: readonly Step[], width: number): Promise<void> {
  await runSteps(steps, width, (result) => {
    printResult(result, result.name.startsWith("tests"));
    counts = addCounts(counts, result.counts);
    failures.push(...failedTests(result.output));
  });
}

function skip(files: readonly string[], reason: string): void {
  for (const file of files) process.stdout.write(`skipped ${file}: ${reason}\n`);
  counts = addCounts(counts, { passed: 0, failed: 0, skipped: files.length });
}

await run(checkSteps(), 2);
const needRoot = [...testFiles("netns"), ...testFiles("e2e")];
const parallel = [...testFiles("contract"), ...testFiles("nats"), ...(isRoot ? testFiles("netns") : [])];
await run(
  [testStep("tests with databases, NATS and namespaces", parallel, { isolation: "process", concurrency: 2, limitMs: 780_000 })],
  1,
);
if (isRoot) {
  // One at a time: they measure how long a start and an end take, and two would share two cores.
  await run([testStep("tests of the whole", testFiles("e2e"), { isolation: "process", concurrency: 1, limitMs: 780_000 })], 1);
} else {
  skip(needRoot, "needs root, because it makes network namespaces");
}
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.stdout.write(`took ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
