// What `npm run check` looks at. The longest come first, so that two at a time end together.
import { type Step, testFiles, testStep } from "./steps.ts";

export const checkSteps = (): readonly Step[] => [
  { name: "types (tsc)", command: ["tsc"] },
  testStep("unit tests", testFiles("unit"), { isolation: "none", concurrency: 1 }),
  { name: "unused code (knip)", command: ["knip", "--no-progress"] },
  { name: "lint (oxlint)", command: ["oxlint", "--type-aware", "."] },
  {
    name: "imports (dependency-cruiser)",
    command: ["depcruise", "--config", ".dependency-cruiser.mjs", "src", "test", "scripts"],
  },
  { name: "format (biome)", command: ["biome", "format", "."] },
];
