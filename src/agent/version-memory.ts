// What `dnsmasq --version` printed last, so that an agent that starts again starts no child for it.
import { statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { readFileIfPresent, writeFileAtomic } from "../linux/atomic-file.ts";
import type { CommandRunner } from "../linux/command-runner.ts";

/** Another file, or the same with other content, is another program. */
function identify(program: string, searchPath: string): string | undefined {
  for (const directory of searchPath.split(delimiter)) {
    try {
      const { ino, size, mtimeMs } = statSync(join(directory, program));
      return [join(directory, program), ino, size, mtimeMs].join(" ");
    } catch {
      // Not in this directory.
    }
  }
  return undefined;
}

/** The same runner, which answers `<program> --version` from a file of the state directory while the program is the same. */
export function rememberVersion(
  runner: CommandRunner,
  stateDir: string,
  searchPath: string = process.env["PATH"] ?? "",
): CommandRunner {
  return {
    run: async (argv, options) => {
      const [program = "", flag] = argv;
      const identity = flag === "--version" ? identify(program, searchPath) : undefined;
      if (identity === undefined) return runner.run(argv, options);
      const file = join(stateDir, "run", `${program}.version`);
      const [known, ...lines] = ((await readFileIfPresent(file)) ?? "").split("\n");
      if (known === identity) return { exitCode: 0, stdout: lines.join("\n"), stderr: "" };
      const result = await runner.run(argv, options);
      if (result.exitCode === 0) {
        // Forgetting it costs one child at the next start.
        await writeFileAtomic(file, `${identity}\n${result.stdout}`).catch(() => {});
      }
      return result;
    },
  };
}
