import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeFileAtomic, writeFileAtomicSync } from "../../../src/linux/atomic-file.ts";

describe("DA-153: a file that another process reads", () => {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-atomic-"));
  });
  after(async () => rm(directory, { recursive: true }));

  test("is the old one or the new one to whoever looks while it is replaced", async () => {
    const path = join(directory, "host");
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(400_000));
    await writeFileAtomic(path, texts[0] ?? "");
    const seen = new Set<string>();
    let isWriting = true;

    const reader = (async () => {
      while (isWriting) seen.add(await readFile(path, "utf8"));
    })();
    for (let round = 0; round < 40; round += 1) await writeFileAtomic(path, texts[round % texts.length] ?? "");
    isWriting = false;
    await reader;

    assert.ok(seen.size > 0);
    for (const text of seen) assert.ok(texts.includes(text), `a part of ${text.length} bytes`);
    assert.deepEqual(await readdir(directory), ["host"], "nothing is left beside it");
  });

  test("can be read by others whatever our own umask is", async () => {
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(join(directory, "one"), "x");
      writeFileAtomicSync(join(directory, "two"), "x");
    } finally {
      process.umask(umask);
    }

    for (const name of ["one", "two"]) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o644, name);
  });

  test("stays as it was when the new one cannot be written", async () => {
    await assert.rejects(writeFileAtomic(join(directory, "none", "host"), "x"), { code: "ENOENT" });
    assert.throws(() => writeFileAtomicSync(join(directory, "none", "host"), "x"), { code: "ENOENT" });
  });
});
