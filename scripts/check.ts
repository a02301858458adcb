// `npm run check`: types, lint, format, import rules, unused code and unit tests, in under 30 s.
import { checkSteps } from "./check-steps.ts";
import { addCounts, noCounts, printResult, runSteps } from "./steps.ts";

const startedAt = performance.now();
let counts = noCounts;
await runSteps(checkSteps(), 2, (result) => {
  printResult(result, false);
  counts = addCounts(counts, result.counts);
});
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
process.stdout.write(counts.failed === 0 ? `check passed in ${seconds} s\n` : `check FAILED in ${seconds} s\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
