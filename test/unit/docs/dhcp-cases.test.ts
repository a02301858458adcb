// Every numbered case of the DHCP agent is proven by a test that says so, or excused in docs/dhcp-cases.md.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const cases = Array.from({ length: 233 }, (_, n) => `DA-${String(n + 1).padStart(3, "0")}`);

/** The first argument of what makes a test or a group of them: a literal, maybe on the next line. */
const nameOfTest = /^[ \t]*(?:await )?(?:\w+\.)?(?:test|describe|it|suite)(?:\.\w+)?\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/gm;

function numbersInNames(source: string): readonly string[] {
  return [...source.matchAll(nameOfTest)].flatMap(([, , name = ""]) => name.match(/DA-\d{3}/g) ?? []);
}

type Table = ReadonlyMap<string, string>;

function tableOf(section: string): Table {
  const rows = section.matchAll(/^\| (DA-\d+) \| (.*) \|$/gm);
  return new Map([...rows].map(([, number = "", reason = ""]) => [number, reason]));
}

function readTables(): { readonly excused: Table; readonly otherwise: Table } {
  const sections = readFileSync(join(root, "docs/dhcp-cases.md"), "utf8").split(/^## /m);
  const find = (title: string): Table => tableOf(sections.find((section) => section.startsWith(`${title}\n`)) ?? "");
  return { excused: find("Not here"), otherwise: find("Answered otherwise") };
}

function provenBy(): ReadonlyMap<string, readonly string[]> {
  const files = globSync("test/**/*.test.ts", { cwd: root }).filter((file) => !file.endsWith("docs/dhcp-cases.test.ts"));
  const found = files.flatMap((file) =>
    numbersInNames(readFileSync(join(root, file), "utf8")).map((number) => ({ number, file })),
  );
  const groups = Map.groupBy(found, ({ number }) => number);
  return new Map([...groups].map(([number, uses]) => [number, uses.map(({ file }) => file)]));
}

describe("the cases of the DHCP agent", () => {
  const { excused, otherwise } = readTables();
  const proven = provenBy();

  test("are found in names of tests, and nowhere else", () => {
    const source = [
      'test("DA-001, DA-002: two", async () => {});',
      "  test(",
      '    "DA-003: on its own line",',
      '  await t.test("DA-004: inside another", () => {});',
      "  describe(`DA-005: of ${kind}`, () => {});",
      '  // test("DA-006: in a comment")',
      '  assert.ok(isRight, "DA-007: in a message");',
      '  contest("DA-008: another function")',
    ].join("\n");

    assert.deepEqual(numbersInNames(source), ["DA-001", "DA-002", "DA-003", "DA-004", "DA-005"]);
  });

  test("are all proven or excused", () => {
    assert.deepEqual(
      cases.filter((number) => !proven.has(number) && !excused.has(number)),
      [],
    );
  });

  test("are not excused when they are proven", () => {
    assert.deepEqual(
      [...excused.keys()].flatMap((number) => (proven.has(number) ? [`${number}: ${proven.get(number)?.join(", ")}`] : [])),
      [],
    );
  });

  test("that are answered otherwise are proven, too", () => {
    assert.deepEqual(
      [...otherwise.keys()].filter((number) => !proven.has(number)),
      [],
    );
  });

  test("are excused or answered otherwise with a reason, in their order, and at most a tenth of them", () => {
    for (const table of [excused, otherwise]) {
      assert.deepEqual([...table.keys()], [...table.keys()].toSorted());
      for (const [number, reason] of table) assert.ok(reason.length > 40 && reason.endsWith("."), number);
      assert.ok(table.size >= 1);
    }
    const count = excused.size + otherwise.size;
    assert.ok(count <= Math.floor(cases.length / 10), `${count} are not as the list has them`);
  });

  test("have numbers that exist", () => {
    const known = new Set(cases);

    assert.deepEqual(
      [...proven.keys(), ...excused.keys(), ...otherwise.keys()].filter((number) => !known.has(number)),
      [],
    );
  });
});
