// The command tree of `netloom`. Which commands there are is here; what they do is in commands/.
import { Command, CommanderError, Option } from "commander";
import { errorText, NetloomError } from "../base/errors.ts";
import { readVersion } from "../base/version.ts";
import { addAddressGroupCommands } from "./commands/address-groups.ts";
import { addAgentCommands } from "./commands/agents.ts";
import { addDatabaseCommands } from "./commands/database.ts";
import { addFloatingIpCommands } from "./commands/floating-ips.ts";
import { addIpAvailabilityCommands } from "./commands/ip-availability.ts";
import { addLeaseCommands } from "./commands/leases.ts";
import { addNestedCommands } from "./commands/nested.ts";
import { addPlugCommands } from "./commands/plug.ts";
import { addQuotaCommands } from "./commands/quotas.ts";
import { addResourceCommands } from "./commands/resources.ts";
import { addRouterCommands } from "./commands/routers.ts";
import { addTagCommands } from "./commands/tags.ts";
import { addTrunkCommands } from "./commands/trunk-subports.ts";
import { addSubnetPoolCommands } from "./commands/subnet-pools.ts";
import { CommandFailure, type ExitCode, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { outputFormats } from "./output.ts";
import { programs, runProgram } from "./programs.ts";

const exitCodeHelp = `
Exit codes: 0 done, 1 failure, 2 wrong use, 3 not found, 4 conflict, 5 server not reachable`;

/** @returns the exit code; everything that went wrong has been said in one line on standard error */
export async function runCommandLine(argv: readonly string[]): Promise<ExitCode> {
  try {
    const tree = await buildCommandTree(argv);
    await tree.parseAsync([...argv], { from: "user" });
    return exitCodes.ok;
  } catch (thrown) {
    return explain(thrown);
  }
}

async function buildCommandTree(argv: readonly string[]): Promise<Command> {
  const root = new Command("netloom")
    .description("Tenant networks on machines you own.")
    .version(readVersion())
    .addOption(new Option("--url <url>", "API of the server").env("NETLOOM_URL").default("http://127.0.0.1:9696"))
    .addOption(
      new Option("--os-token <token>", "token of the caller; without one OS_TOKEN, or a login by OS_* when asked").env(
        "NETLOOM_TOKEN",
      ),
    )
    .addOption(new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"))
    .showHelpAfterError(false)
    .addHelpText("after", exitCodeHelp);
  addPrograms(root);
  await addResourceCommands(root, argv);
  addRouterCommands(root);
  addAddressGroupCommands(root);
  addTrunkCommands(root);
  await addNestedCommands(root, argv);
  await addFloatingIpCommands(root, argv);
  addSubnetPoolCommands(root);
  addQuotaCommands(root);
  addTagCommands(root);
  addPlugCommands(root);
  addAgentCommands(root);
  addIpAvailabilityCommands(root);
  addLeaseCommands(root);
  addDatabaseCommands(root);
  for (const command of allCommands(root)) configure(command);
  return root;
}

function addPrograms(root: Command): void {
  for (const [name, program] of Object.entries(programs)) {
    // They parse their own flags: main.ts runs them before this tree is built. Here they are for the list of commands.
    root
      .command(name)
      .description(program.summary)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => runProgram(name as keyof typeof programs, ["--help"]));
  }
}

function* allCommands(command: Command): Generator<Command> {
  yield command;
  for (const inner of command.commands) yield* allCommands(inner);
}

function configure(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) =>
      write(
        `netloom: ${
          text
            .replace(/^error: /, "")
            .trim()
            .split("\n")[0]
        }\n`,
      ),
  });
  // -o and --url are understood wherever they stand: people put them last.
  command.enablePositionalOptions(false);
}

function explain(thrown: unknown): ExitCode {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const isKnown = thrown instanceof CommandFailure || thrown instanceof NetloomError;
  const bug = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  process.stderr.write(`netloom: ${isKnown ? errorText(thrown) : bug}\n`);
  if (thrown instanceof CommandFailure) return thrown.exitCode;
  return thrown instanceof NetloomError ? exitCodeOf(thrown.code) : exitCodes.failure;
}
