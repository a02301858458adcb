// `netloom db …`: the database itself, without a server in between.
import { resolve } from "node:path";
import type { Command } from "commander";
import { loadDatabaseUrl } from "../../config/database-config.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, contextOf } from "./context.ts";

interface DatabaseOptions {
  readonly db?: string;
  readonly stateDir?: string;
  readonly config?: string;
}

export function addDatabaseCommands(root: Command): void {
  const group = root.command("db").description("look after the server's database");
  addCheck(group);
  addUpgrade(group);
  addBackup(group);
  addNewEpoch(group);
}

const tool = () => import("../../server/database-tool.ts");

/** The server's own settings say where the database is, unless an option does. */
function addPlace(command: Command): Command {
  return command
    .option("--db <url>", "sqlite:<file> or postgres://… (default: that of the server's settings)")
    .option("--state-dir <directory>", "whose netloom.db it is when nothing else says (default /var/lib/netloom)")
    .option("--config <file>", "YAML file with settings");
}

function urlOf({ db, stateDir, config }: DatabaseOptions): Promise<string> {
  const flags = { "--db": db, "--state-dir": stateDir, "--config": config };
  return loadDatabaseUrl(Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])));
}

function addCheck(group: Command): void {
  const command = group.command("check").description("tell its version and whether it is whole; changes nothing");
  addExamples(addPlace(command), "netloom db check", "netloom db check --db postgres://netloom@db.example/netloom -o json");
  command.action(async (options: DatabaseOptions) => {
    const report = await (await tool()).checkDatabase(await urlOf(options));
    await contextOf(command).printObject({ ...report });
    if (report.problems.length > 0) {
      throw new CommandFailure(exitCodes.failure, `${report.database} is damaged: ${report.problems[0]}`);
    }
  });
}

function addUpgrade(group: Command): void {
  const command = group.command("upgrade").description("bring its schema to this program's version, as a server's start does");
  addExamples(addPlace(command), "netloom db upgrade");
  command.action(async (options: DatabaseOptions) => {
    const url = await urlOf(options);
    say("bringing the schema up to date …");
    await contextOf(command).printObject({ ...(await (await tool()).upgradeDatabase(url)) });
  });
}

function addBackup(group: Command): void {
  const command = group
    .command("backup")
    .description("write one consistent state of it into a new file, while servers write on")
    .argument("<file>", "must not exist; SQLite: a database, PostgreSQL: an archive for pg_restore");
  addExamples(addPlace(command), "netloom db backup /var/backups/netloom.db");
  command.action(async (file: string, options: DatabaseOptions) => {
    const url = await urlOf(options);
    say(`writing ${file} …`);
    await contextOf(command).printObject({ ...(await (await tool()).backUpDatabase(url, resolve(file))) });
  });
}

function addNewEpoch(group: Command): void {
  const command = group
    .command("new-epoch")
    .description("after a restore by other means than a copy of `db backup`: all agents start over from a snapshot");
  addExamples(addPlace(command), "netloom db new-epoch --db postgres://netloom@db.example/netloom");
  command.action(async (options: DatabaseOptions) => (await tool()).beginEpoch(await urlOf(options)));
}

/** Standard output carries the result and nothing else. */
const say = (text: string): boolean => process.stderr.write(`netloom: ${text}\n`);
