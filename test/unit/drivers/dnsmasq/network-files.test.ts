import assert from "node:assert/strict";
import { chmod, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { DesiredFiles } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { currentFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { NetworkFiles } from "../../../../src/drivers/dnsmasq/network-files.ts";
import { parseNetworkState } from "../../../../src/drivers/dnsmasq/network-state.ts";
import { createTestDirectory, type TestDirectory } from "../../../helpers/namespaces.ts";

const line = (index: number): string => `fa:16:3e:00:00:0${index},h${index},10.0.0.${index}`;
const name = (index: number): string => `10.0.0.${index}\th${index}`;
const server = { pid: 4242, startTime: 99 };
const desired = (indexes: readonly number[]): DesiredFiles => ({
  hostLines: indexes.map(line),
  dnsLines: indexes.map(name),
  optsLines: ["tag:x,3,10.0.0.1"],
  domain: "",
  refused: [],
});

describe("the files of a network", () => {
  let directory: TestDirectory;
  let files: NetworkFiles;

  beforeEach(async () => {
    directory = await createTestDirectory();
    files = new NetworkFiles(join(directory.path, "dhcp", "n1"));
  });
  afterEach(async () => directory.remove());

  const write = async (indexes: readonly number[], features = currentFeatures): Promise<void> => {
    await files.markChanging(false);
    const { baseHash } = files.writeBase(desired(indexes), features);
    files.markRunning(baseHash, server);
  };

  test("DA-097: stand in directories that dnsmasq's user can enter, whatever our umask", async () => {
    const before = process.umask(0o077);
    await files.markChanging(false);
    process.umask(before);

    for (const path of [files.directory, files.path("host.d"), files.path("dns.d")]) {
      assert.equal((await stat(path)).mode & 0o777, 0o755);
    }
  });

  test("DA-097: a directory that was closed is opened again", async () => {
    await mkdir(files.directory, { recursive: true });
    await chmod(files.directory, 0o700);

    await files.markChanging(false);

    assert.equal((await stat(files.directory)).mode & 0o777, 0o755);
  });

  test("DA-156: a reload writes hosts, names and options; all of it is read back", async () => {
    await write([1, 2]);

    assert.equal(await readFile(files.path("host"), "utf8"), `${line(1)}\n${line(2)}\n`);
    assert.equal(await readFile(files.path("dns.d/b0"), "utf8"), `${name(1)}\n${name(2)}\n`);
    assert.equal(await readFile(files.path("opts"), "utf8"), "tag:x,3,10.0.0.1\n");
    const loaded = files.readLoaded();
    assert.deepEqual([...(loaded?.hosts.lines ?? [])], [line(1), line(2)]);
    assert.deepEqual([...(loaded?.dnsLines ?? [])], [name(1), name(2)]);
    assert.equal(loaded?.dnsBuckets, 1);
  });

  test("DA-156: where dnsmasq cannot take names back they stand in addn_hosts", async () => {
    await write([1, 2], { ...currentFeatures, hasLiveDnsDirectory: false });

    assert.equal(await readFile(files.path("addn_hosts"), "utf8"), `${name(1)}\n${name(2)}\n`);
    assert.deepEqual(await readdir(files.path("dns.d")), []);
    assert.equal(files.readLoaded()?.dnsBuckets, 0);
    assert.deepEqual([...(files.readLoaded()?.dnsLines ?? [])], [name(1), name(2)]);
  });

  test("DA-171: small files have names that dnsmasq reads, in the order of their writing", async () => {
    await write([1]);
    files.addHostDelta([line(2)]);
    files.addHostDelta(["fa:16:3e:00:00:01,ignore"]);
    files.addHostDelta([line(3)]);

    const names = await readdir(files.path("host.d"));
    assert.equal(names.length, 3);
    for (const one of names) assert.match(one, /^[^.#].*[^~]$/);
    assert.deepEqual([...(files.readLoaded()?.hosts.lines ?? [])], [line(2), line(3)]);
    assert.equal(files.readLoaded()?.hosts.deltaCount, 3);
    assert.equal(await readFile(files.path(`host.d/${names.toSorted()[1]}`), "utf8"), "fa:16:3e:00:00:01,ignore\n");
  });

  test("a small file of hosts is never written to again, because dnsmasq would keep what it saw half written", async () => {
    await write([1]);
    files.addHostDelta([line(2)]);
    const [first = ""] = await readdir(files.path("host.d"));
    const reader = await open(files.path(`host.d/${first}`));

    files.addHostDelta([line(3)]);
    await write([1, 2, 3]);
    files.addHostDelta([line(4)]);

    assert.equal(await readFile(files.path(`host.d/${first}`), "utf8"), `${line(4)}\n`, "the same name, after a reload");
    assert.equal(await reader.readFile("utf8"), `${line(2)}\n`);
    await reader.close();
  });

  test("names that a kill in the middle of a write has mixed are not believed", async () => {
    const many = Array.from({ length: 100 }, (_, index) => `10.0.1.${index}\tname-${index}`);
    await files.markChanging(false);
    const { baseHash } = files.writeBase({ ...desired([]), dnsLines: many }, currentFeatures);
    files.markRunning(baseHash, server);
    assert.equal(files.readLoaded()?.dnsLines.size, 100);
    const [bucket = "", other = ""] = await readdir(files.path("dns.d"));
    const mixed = (await readFile(files.path(`dns.d/${other}`), "utf8")).slice(0, 40);

    await writeFile(files.path(`dns.d/${bucket}`), mixed);

    assert.equal(files.readLoaded(), undefined);
  });

  test("a new base takes small files and names away", async () => {
    await write([1, 2]);
    files.addHostDelta([line(3)]);
    files.changeNames([name(1)], { kind: "buckets", buckets: new Set([0]) }, 1);
    assert.deepEqual([...(files.readLoaded()?.dnsLines ?? [])], [name(1)]);

    await write([4]);

    assert.deepEqual(await readdir(files.path("host.d")), []);
    assert.deepEqual([...(files.readLoaded()?.dnsLines ?? [])], [name(4)]);
  });

  const namesOf = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}\th${index}`);

  test("names of a middling network are spread, and each is in one file", async () => {
    await files.markChanging(false);
    files.writeBase({ ...desired([]), dnsLines: namesOf(300) }, currentFeatures);

    const names = await readdir(files.path("dns.d"));
    const texts = await Promise.all(names.map(async (one) => readFile(files.path(`dns.d/${one}`), "utf8")));
    assert.equal(names.length, 8);
    assert.ok(texts.every((text) => text.split("\n").length < 80));
    const spread = texts.join("").trimEnd().split("\n");
    assert.deepEqual(spread.toSorted(), namesOf(300).toSorted());
  });

  test("names of a large network stand in the base, those that came since beside it; the next base has them all", async () => {
    await write([1]);
    const base = namesOf(600);
    await files.markChanging(false);
    const { baseHash } = files.writeBase({ ...desired([1]), dnsLines: base }, currentFeatures);
    files.markRunning(baseHash, server);
    assert.deepEqual(await readdir(files.path("dns.d")), []);

    const after = [...base, "10.9.9.9\tnew"];
    files.changeNames(after, { kind: "added", lines: ["10.9.9.9\tnew"] }, 0);

    assert.deepEqual([...(files.readLoaded()?.dnsLines ?? [])], after);
    assert.deepEqual([...(files.readLoaded()?.dnsAdded ?? [])], ["10.9.9.9\tnew"]);
    assert.equal(files.readLoaded()?.dnsBuckets, 0);
    files.writeBase({ ...desired([1]), dnsLines: after }, currentFeatures);
    assert.deepEqual(await readdir(files.path("dns.d")), []);
    assert.equal((await readFile(files.path("addn_hosts"), "utf8")).split("\n").length, 602);
  });

  test("are not believed while somebody changes them, when they were touched, or without a note", async () => {
    assert.equal(files.readLoaded(), undefined);
    await write([1]);
    await writeFile(files.path("host"), `${line(2)}\n`);
    assert.equal(files.readLoaded(), undefined);
    await write([1]);
    await files.markChanging(false);
    assert.equal(files.readLoaded(), undefined);
  });

  test("DA-109: the interface file is written, read, left alone when it is right, and absent is undefined", async () => {
    assert.equal(files.readInterface(), undefined);
    await files.markChanging(false);
    files.writeInterface("ns-1");
    const { ino } = await stat(files.path("interface"));
    files.writeInterface("ns-1");

    assert.equal((await stat(files.path("interface"))).ino, ino);
    assert.equal(files.readInterface(), "ns-1");
    assert.equal(await readFile(files.path("interface"), "utf8"), "ns-1");
  });

  test("the note says which process has read them; anything else says only that somebody was here", async () => {
    await files.markChanging(false);
    const { baseHash } = files.writeBase(desired([1]), currentFeatures);
    files.markRunning(baseHash, server);
    assert.deepEqual(files.readState(), { phase: "running", baseHash, server });

    for (const text of [
      "",
      "{",
      "[]",
      '{"phase":"running"}',
      '{"phase":"running","baseHash":"x","server":{"pid":"1"}}',
      "null",
    ]) {
      assert.deepEqual(parseNetworkState(text), { phase: "changing", isTagged: true });
    }
    await files.markChanging(false);
    assert.deepEqual(files.readState(), { phase: "changing", isTagged: false });
  });
});
