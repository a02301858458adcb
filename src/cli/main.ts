// Entry of `netloom`: long-running programs are loaded directly, everything else through the command line of commands/.
// Nothing heavy is imported here, so that `netloom port list` does not wait for what only a server needs.
import { isProgram, runProgram } from "./programs.ts";

// `netloom port list | head`: whoever reads has seen enough, which is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const [first = "", ...rest] = process.argv.slice(2);
if (isProgram(first)) {
  await runProgram(first, rest);
} else {
  const { runCommandLine } = await import("./command-line.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
}
