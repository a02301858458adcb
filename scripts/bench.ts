// `npm run bench -- <name> [args]`: runs test/bench/<name>.ts, which prints a table and one JSON line.
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../test/bench/", import.meta.url));
const names = (await readdir(folder))
  .filter((file) => file.endsWith(".ts") && file !== "report.ts")
  .map((file) => path.basename(file, ".ts"));
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  process.stderr.write(`usage: npm run bench -- <name>\nnames: ${names.sort().join(", ")}\n`);
  process.exit(2);
}
const child = spawn(process.execPath, [path.join(folder, `${name}.ts`), ...rest], { stdio: "inherit" });
child.once("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
