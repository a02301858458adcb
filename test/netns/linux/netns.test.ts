import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { withBridgeLock } from "../../../src/linux/bridge.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { deleteNamespace, ensureNamespace, isNamespace, listNamespaces, namespaceInode } from "../../../src/linux/netns.ts";
import { randomPrefix, sh, skipWithoutRoot } from "../../helpers/namespaces.ts";

describe("a named network namespace", { skip: skipWithoutRoot }, () => {
  const runner = processRunner();
  const name = `${randomPrefix()}ns`;

  afterEach(async () => deleteNamespace(runner, name));

  test("is made once, however many want it at the same time", async () => {
    const made = await Promise.all(Array.from({ length: 5 }, async () => ensureNamespace(runner, name)));

    assert.equal(made.filter(Boolean).length, 1);
    assert.ok(listNamespaces().includes(name));
    assert.equal(
      (await sh("nsenter", `--net=/run/netns/${name}`, "stat", "-L", "-c", "%i", "/proc/self/ns/net")).trim(),
      String(namespaceInode(name)),
    );
  });

  test("is not what a plain file of its name looks like", async () => {
    await ensureNamespace(runner, name);
    await deleteNamespace(runner, name);
    writeFileSync(`/run/netns/${name}`, "");

    assert.equal(isNamespace(name), false);
    assert.equal(listNamespaces().includes(name), false);
    assert.equal(await ensureNamespace(runner, name), true);
    assert.equal(isNamespace(name), true);
  });

  test("is gone after the delete, which may be repeated", async () => {
    await ensureNamespace(runner, name);
    await deleteNamespace(runner, name);
    await deleteNamespace(runner, name);

    assert.equal(existsSync(`/run/netns/${name}`), false);
    assert.equal(namespaceInode(name), undefined);
  });
});

test("the lock of a bridge lets one at a time in, and everybody in the end", async () => {
  const bridge = `${randomPrefix()}br`;
  let inside = 0;
  let most = 0;

  await Promise.all(
    Array.from({ length: 8 }, async () =>
      withBridgeLock(bridge, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      }),
    ),
  );

  assert.equal(most, 1);
});
