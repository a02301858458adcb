// Options that stand for attributes: how commander shows them, and what they become in the body of a request.
import { type Command, Option } from "commander";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { type AttributeOption, attributeValue, placeholder, type Resolve } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { type CommandContext, collect } from "./context.ts";

/** Options of a command as commander gives them: by their flags in camel case. */
export type Typed = Readonly<Record<string, string | readonly string[] | undefined>>;

export async function loadOptions(
  declaration: Promise<ResourceDeclaration>,
  verb: "post" | "put",
  hidden: readonly string[] = [],
): Promise<readonly AttributeOption[]> {
  const { attributeOptions } = await import("../attribute-options.ts");
  const resource = await declaration;
  const isOffered = ({ attribute }: AttributeOption): boolean =>
    !hidden.includes(attribute) && resource.attributes[attribute]?.withoutEffect !== true;
  return attributeOptions(resource, verb).filter(isOffered);
}

export function addOptions(command: Command, options: readonly AttributeOption[]): void {
  for (const declared of options) {
    const option = new Option(`--${declared.flag} <value>`, describe(declared));
    if (declared.isList) option.argParser(collect);
    if (declared.isRequired) option.makeOptionMandatory();
    command.addOption(option);
  }
}

function describe(option: AttributeOption): string {
  const notes = [
    option.isList ? "may be repeated, none empties the list" : "",
    option.isNullable && !option.isList ? "or none" : "",
  ];
  const form = [placeholder(option), ...notes].filter((note) => note !== "").join(", ");
  return `${option.description} [${form}]`;
}

export async function readAttributes(
  options: readonly AttributeOption[],
  typed: Typed,
  context: CommandContext,
): Promise<ApiObject> {
  const attributes: Record<string, unknown> = {};
  for (const option of options) {
    const value = typed[camelCase(option.flag)];
    if (value !== undefined) attributes[option.attribute] = await attributeValue(option, value, resolverOf(context));
  }
  return attributes;
}

export const resolverOf =
  ({ client }: CommandContext): Resolve =>
  (kind, nameOrId) =>
    client.findId(resourceNames[kind], nameOrId);

export function refuseNothing(changes: ApiObject): void {
  if (Object.keys(changes).length === 0)
    throw new CommandFailure(exitCodes.usage, "nothing to change: give an option, see --help");
}

const camelCase = (flag: string): string => flag.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
