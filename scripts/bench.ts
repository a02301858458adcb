// `npm run bench -- <name>`: runs one of test/bench.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { home } from "./steps.ts";

const helpers = new Set(["report"]);
const names = globSync("test/bench/*.ts", { cwd: home })
  .map((file) => basename(file, ".ts"))
  .filter((name) => !helpers.has(name))
  .sort();
const [name = "", ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  process.stderr.write(`usage: npm run bench -- <${names.join("|")}>\n`);
  process.exit(2);
}
const result = spawnSync(process.execPath, [join(home, "test/bench", `${name}.ts`), ...rest], { stdio: "inherit" });
process.exitCode = result.status ?? 1;
