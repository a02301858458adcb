// Open vSwitch through ovs-vsctl: many changes in one child and one transaction.
import { NetloomError } from "../base/errors.ts";
import { type CommandRunner, commandFailed, runChecked } from "./command-runner.ts";

/** One command of ovs-vsctl with its options and arguments. */
export type OvsCommand = readonly string[];

interface Item {
  readonly commands: readonly OvsCommand[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const word = /^[A-Za-z0-9_.:,/=@"-]{1,300}$/;

// For the switch to take a change over, which the command waits for.
const waitSeconds = 10;

export class OvsDatabase {
  readonly #runner: CommandRunner;
  readonly #database: string;
  #waiting: Item[] = [];
  #isRunning = false;

  /** @param database as ovs-vsctl wants it: `unix:/var/run/openvswitch/db.sock` or `tcp:…` */
  constructor(runner: CommandRunner, database: string) {
    this.#runner = runner;
    this.#database = checked(database);
  }

  /**
   * Changes that belong together, in one transaction with those that others asked for meanwhile; resolves when the switch has
   * taken them over. When the whole fails each is tried alone, so nobody pays for another's mistake.
   */
  change(commands: readonly OvsCommand[]): Promise<void> {
    for (const command of commands) command.forEach(checked);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commands, resolve, reject });
      if (!this.#isRunning) void this.#work();
    });
  }

  /** Lines that the commands print; `undefined` when one of them finds nothing. */
  async read(commands: readonly OvsCommand[]): Promise<readonly string[] | undefined> {
    const argv = this.#argv(commands, []);
    const result = await this.#runner.run(argv);
    if (result.exitCode === 0) return result.stdout.split("\n").slice(0, -1);
    if (/no row|no interface|no port|does not contain/i.test(result.stderr)) return undefined;
    throw commandFailed(argv, result);
  }

  #argv(commands: readonly OvsCommand[], options: readonly string[]): readonly string[] {
    const separated = commands.flatMap((command) => ["--", ...command.map(checked)]);
    return ["ovs-vsctl", `--db=${this.#database}`, `--timeout=${waitSeconds}`, ...options, ...separated];
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#runAll(this.#waiting.splice(0));
    this.#isRunning = false;
  }

  async #runAll(items: readonly Item[]): Promise<void> {
    try {
      const commands = items.flatMap((item) => item.commands);
      await runChecked(this.#runner, this.#argv(commands, []));
      for (const item of items) item.resolve();
    } catch (error) {
      const [only, ...others] = items;
      if (others.length === 0) only?.reject(error);
      else for (const item of items) await this.#runAll([item]);
    }
  }
}

function checked(text: string): string {
  if (word.test(text)) return text;
  throw new NetloomError("INVALID", `not a word for ovs-vsctl: ${JSON.stringify(text.slice(0, 64))}`);
}
