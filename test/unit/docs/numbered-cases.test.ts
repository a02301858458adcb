// Every numbered case of the agents is proven by a test that says so, or excused in the document that tells of them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { numbersInNames, readCaseTable, readProven } from "../../helpers/numbered-cases.ts";

interface CaseList {
  readonly title: string;
  readonly document: string;
  readonly number: RegExp;
  readonly cases: readonly string[];
}

const lists: readonly CaseList[] = [
  {
    title: "the cases of the DHCP agent",
    document: "docs/dhcp-cases.md",
    number: /DA-\d{3}/g,
    cases: Array.from({ length: 233 }, (_, n) => `DA-${String(n + 1).padStart(3, "0")}`),
  },
  {
    title: "the cases of routers and floating IPs",
    document: "docs/l3-cases.md",
    number: /L3-\d+/g,
    cases: Array.from({ length: 105 }, (_, n) => `L3-${n + 1}`),
  },
];

for (const { title, document, number, cases } of lists) {
  describe(title, () => {
    const excused = readCaseTable(document, "Not here");
    const otherwise = readCaseTable(document, "Answered otherwise");
    const proven = readProven(number);

    test("are all proven or excused", () => {
      assert.deepEqual(
        cases.filter((name) => !proven.has(name) && !excused.has(name)),
        [],
      );
    });

    test("are not excused when they are proven", () => {
      assert.deepEqual(
        [...excused.keys()].flatMap((name) => (proven.has(name) ? [`${name}: ${proven.get(name)?.join(", ")}`] : [])),
        [],
      );
    });

    test("that are answered otherwise are proven, too", () => {
      assert.deepEqual(
        [...otherwise.keys()].filter((name) => !proven.has(name)),
        [],
      );
    });

    test("are excused or answered otherwise with a reason, in their order, and at most a tenth of them", () => {
      for (const table of [excused, otherwise]) {
        const order = [...table.keys()].map((name) => cases.indexOf(name));
        assert.deepEqual(
          order,
          order.toSorted((left, right) => left - right),
        );
        for (const [name, reason] of table) assert.ok(reason.length > 40 && reason.endsWith("."), name);
      }
      const count = excused.size + otherwise.size;
      assert.ok(count >= 1 && count <= Math.floor(cases.length / 10), `${count} are not as the list has them`);
    });

    test("have numbers that exist", () => {
      const known = new Set(cases);

      assert.deepEqual(
        [...proven.keys(), ...excused.keys(), ...otherwise.keys()].filter((name) => !known.has(name)),
        [],
      );
    });
  });
}

test("numbered cases are found in names of tests, and nowhere else", () => {
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

  assert.deepEqual(numbersInNames(source, /DA-\d{3}/g), ["DA-001", "DA-002", "DA-003", "DA-004", "DA-005"]);
});
