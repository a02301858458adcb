// What every command needs: the client for --url and the printer for -o.
import type { Command } from "commander";
import { ApiClient, type ApiObject } from "../api-client.ts";
import { credentialsOf } from "../credentials.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { formatList, formatObject, type OutputFormat } from "../output.ts";

export interface CommandContext {
  readonly client: ApiClient;
  printList(objects: readonly ApiObject[], columns: readonly string[]): Promise<void>;
  printObject(object: ApiObject): Promise<void>;
  /** For programs the items are an attribute of the object. */
  printObjectWithList(object: ApiObject, list: AttachedList): Promise<void>;
}

export interface AttachedList {
  readonly name: string;
  readonly items: readonly ApiObject[];
  readonly columns: readonly string[];
}

export function contextOf(command: Command): CommandContext {
  const { url, osToken, output } = command.optsWithGlobals<{ url: string; osToken?: string; output: OutputFormat }>();
  return {
    client: new ApiClient(url, credentialsOf(osToken)),
    printList: async (objects, columns) => print(await formatList(objects, columns, output)),
    printObject: async (object) => print(await formatObject(object, output)),
    printObjectWithList: async (object, { name, items, columns }) => {
      if (output !== "table") return print(await formatObject({ ...object, [name]: items }, output));
      await print(`${await formatObject(object, output)}\n${await formatList(items, columns, output)}`);
    },
  };
}

/** Resolves when the reader has it: a pipe that is closed early ends the command quietly, as `head` expects. */
async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error === null || error === undefined || ("code" in error && error.code === "EPIPE")) resolve();
      else reject(new CommandFailure(exitCodes.failure, `cannot write to standard output: ${error.message}`, error));
    });
    // The callback has it; without a listener Node would throw it as well.
    process.stdout.once("error", () => {});
  });
}

export function addExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExample:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
