import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { formatList, formatObject } from "../../../src/cli/output.ts";

const ports = [
  { id: "a", name: "web", fixed_ips: [{ subnet_id: "s", ip_address: "10.0.0.5" }], tags: null },
  { id: "b", name: "", fixed_ips: [], tags: ["x"] },
];

test("a table has a title, a row for each object and no trailing blanks", async () => {
  const text = await formatList(ports, ["id", "name", "fixed_ips"], "table");

  assert.deepEqual(text.split("\n"), ["ID  NAME  FIXED_IPS", "a   web   10.0.0.5", "b", ""]);
});

test("json and yaml hold everything, whatever the columns", async () => {
  assert.deepEqual(JSON.parse(await formatList(ports, ["id"], "json")), ports);
  assert.deepEqual(parse(await formatList(ports, ["id"], "yaml")), ports);
  assert.deepEqual(JSON.parse(await formatObject(ports[0] ?? {}, "json")), ports[0]);
});

test("an object is shown one attribute per line, sorted", async () => {
  const text = await formatObject(ports[0] ?? {}, "table");

  assert.deepEqual(
    text
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    ["fixed_ips", "id", "name", "tags"],
  );
});

test("control characters in a tenant's text never reach the terminal", async () => {
  const text = await formatObject({ name: "\u001b[31mred\u0007" }, "table");

  assert.equal(text, "name  ?[31mred?\n");
});
