import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, kinds } from "../../../src/cli/commands/resource-kinds.ts";
import { loadOptions } from "../../../src/cli/commands/resource-options.ts";
import { attributeOf, pathOf } from "../../../src/types/resources/declaration.ts";

for (const kind of kinds) {
  test(`what the command ${kind} says of its objects is what the API declares`, async () => {
    const { resource, columns, listFilters, hidden, isNamed, setExample, load } = describe(kind);
    const declared = await load();

    const { singular, plural, path = plural, handle = "name" } = resource;
    assert.deepEqual([singular, plural, path], [declared.name, declared.collection, pathOf(declared)]);
    assert.deepEqual([isNamed, setExample !== undefined], [Object.hasOwn(declared.attributes, "name"), declared.canUpdate]);
    const isShown = (name: string): boolean => attributeOf(declared, name)?.visible === true;
    assert.deepEqual(
      columns.filter((column) => !isShown(column)),
      [],
    );
    const filters = [handle, ...Object.values(listFilters)];
    assert.deepEqual(
      filters.filter((name) => attributeOf(declared, name)?.filter === undefined),
      [],
    );
    assert.deepEqual(
      hidden.filter((name) => attributeOf(declared, name)?.post !== true),
      [],
    );
  });
}

test("there are no options for attributes that would have no effect", async () => {
  const { load, hidden } = describe("port");

  const options = await loadOptions(load(), "put", hidden);

  assert.ok(options.some((option) => option.attribute === "name"));
  assert.ok(!options.some((option) => option.attribute === "hints"));
});
