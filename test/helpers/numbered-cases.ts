// Numbered cases of a document in docs/: each is proven by a test that has its number in its name, or excused in a table there.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Case → what the table says of it. */
export type CaseTable = ReadonlyMap<string, string>;

/** The first argument of what makes a test or a group of them: a literal, maybe on the next line. */
const nameOfTest = /^[ \t]*(?:await )?(?:\w+\.)?(?:test|describe|it|suite)(?:\.\w+)?\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/gm;

/** @param number global, matches one case, as `/DA-\d{3}/g` */
export function numbersInNames(source: string, number: RegExp): readonly string[] {
  return [...source.matchAll(nameOfTest)].flatMap(([, , name = ""]) => name.match(number) ?? []);
}

/** Case → the files with a test of its name. */
export function readProven(number: RegExp): ReadonlyMap<string, readonly string[]> {
  const files = globSync("test/**/*.test.ts", { cwd: root }).filter((file) => !file.endsWith("docs/numbered-cases.test.ts"));
  const found = files.flatMap((file) =>
    numbersInNames(readFileSync(join(root, file), "utf8"), number).map((name) => ({ name, file })),
  );
  const groups = Map.groupBy(found, ({ name }) => name);
  return new Map([...groups].map(([name, uses]) => [name, uses.map(({ file }) => file)]));
}

/** The table of a section; empty where there is no such section. */
export function readCaseTable(file: string, title: string): CaseTable {
  const sections = readFileSync(join(root, file), "utf8").split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${title}\n`)) ?? "";
  const rows = section.matchAll(/^\| ([A-Z0-9]+-\d+) \| (.*) \|$/gm);
  return new Map([...rows].map(([, number = "", reason = ""]) => [number, reason]));
}
