// Entry of `netloom`: long-running programs are loaded directly, everything else through the command line of commands/.
// Nothing heavy is imported here, so that `netloom port list` does not wait for what only a server needs.
import { isProgram, runProgram } from "./programs.ts";

const [first = "", ...rest] = process.argv.slice(2);
if (isProgram(first)) {
  await runProgram(first, rest);
} else {
  const { runCommandLine } = await import("./command-line.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
}
