import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { NamespaceWatch } from "../../../src/linux/namespace-watch.ts";
import { NftShell } from "../../../src/linux/nft-shell.ts";
import { NftShellPool } from "../../../src/linux/nft-shell-pool.ts";
import { readProcess } from "../../../src/linux/process-table.ts";
import { kill } from "../../helpers/children.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const hasCode = (code: string) => (thrown: unknown) => thrown instanceof NetloomError && thrown.code === code;
const isRunning = (pid: number): boolean => readProcess(pid) !== undefined;
const nft = (namespace: string, ...words: readonly string[]): Promise<string> =>
  sh("ip", "netns", "exec", namespace, "nft", ...words);

describe("nft as a coprocess", { skip: skipWithoutRoot }, () => {
  let namespace: string;
  let shell: NftShell;

  beforeEach(async () => {
    namespace = await createNamespace(`${randomPrefix()}nft`);
    shell = new NftShell({ namespace });
  });
  afterEach(async () => {
    await shell.close();
    await deleteNamespace(namespace);
  });

  test("a change is silent, a list is JSON, and both go through one process", async () => {
    assert.equal(await shell.run("add table ip one"), "");
    const pid = shell.pid;
    const listed = JSON.parse(await shell.run("list tables"));

    assert.ok(listed.nftables.some((entry: { table?: { name: string } }) => entry.table?.name === "one"));
    assert.equal(shell.pid, pid);
    assert.match(await nft(namespace, "list", "tables"), /table ip one/);
  });

  test("of 300 alternating good and bad lines each gets its own outcome", async () => {
    await shell.run("add table ip t");
    await shell.run("add set ip t s { type ipv4_addr ; }");
    const lines = Array.from({ length: 300 }, (_, index) =>
      index % 2 === 0
        ? `add element ip t s { 10.0.${Math.floor(index / 200)}.${index % 200} }`
        : `delete element ip t s { 192.0.2.${index % 200} }`,
    );

    const outcomes = await Promise.allSettled(lines.map((line) => shell.run(line)));

    const wrong = outcomes.filter(({ status }, index) => (status === "fulfilled") !== (index % 2 === 0));
    assert.equal(wrong.length, 0);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "rejected") assert.equal(outcome.reason.detail.line, lines[index]);
    }
    assert.equal((await nft(namespace, "list", "set", "ip", "t", "s")).match(/10\.0\./g)?.length, 150);
  });

  test("long lines are one transaction too, say what is wrong with them, and leave no open file", async () => {
    await shell.run("add table ip t");
    await shell.run("add set ip t s { type ipv4_addr ; }");
    const many = (net: number): string => Array.from({ length: 1000 }, (_, n) => `10.${net}.${n >> 8}.${n & 255}`).join(", ");
    const count = async (): Promise<number> =>
      (await nft(namespace, "list", "set", "ip", "t", "s")).match(/10\./g)?.length ?? 0;
    const openFiles = (): number => readdirSync("/proc/self/fd").length;
    await shell.run(`add element ip t s { ${many(1)} }`);
    const before = openFiles();

    await shell.run(`add element ip t s { ${many(2)} }`);
    assert.equal(await count(), 2000);
    const bad = `add element ip t s { ${many(3)} }; delete element ip t s { 192.0.2.1 }`;
    await assert.rejects(shell.run(bad), /No such file or directory/);
    await shell.run("list tables");

    assert.equal(await count(), 2000);
    await waitFor(() => openFiles() === before, { limitMs: 10_000, what: "the files of the first nft to be closed" });
    const listed = await shell.run("list set ip t s");
    assert.equal(JSON.parse(listed).nftables[1].set.elem.length, 2000);
  });

  test("a line is one transaction: when a part fails, nothing of it is applied", async () => {
    await shell.run("add table ip t");

    await assert.rejects(shell.run("add table ip other; delete element ip t nothing { 1.2.3.4 }"), hasCode("COMMAND_FAILED"));

    assert.doesNotMatch(await nft(namespace, "list", "tables"), /other/);
  });

  test("an nft that had an error is not used again", async () => {
    await shell.run("add table ip t");
    const pid = shell.pid ?? 0;

    await assert.rejects(shell.run("add tabl ip t"), /syntax error/);
    await shell.run("add table ip u");

    assert.notEqual(shell.pid, pid);
    await waitFor(() => !isRunning(pid), { limitMs: 10_000, what: "the end of the first nft" });
  });

  test("who does not answer in time is killed, and the next line gets another nft", async () => {
    const slow = new NftShell({ namespace, timeoutMs: 2000 });
    try {
      await slow.run("add table ip t");
      const pid = slow.pid ?? 0;
      kill(pid, "SIGSTOP");

      const [stuck, next] = await Promise.allSettled([slow.run("add table ip u"), slow.run("add table ip v")]);

      assert.ok(stuck.status === "rejected" && hasCode("TIMEOUT")(stuck.reason));
      assert.equal(next.status, "fulfilled");
      assert.notEqual(slow.pid, pid);
      await waitFor(() => !isRunning(pid), { limitMs: 10_000, what: "the end of the first nft" });
    } finally {
      await slow.close();
    }
  });

  test("a line may have a limit of its own", async () => {
    const patient = new NftShell({ namespace, timeoutMs: 600_000 });
    try {
      await patient.run("add table ip t");
      kill(patient.pid, "SIGSTOP");

      const late = { code: "TIMEOUT", message: /within 200 ms/ };
      await assert.rejects(patient.run("add table ip u", { timeoutMs: 200 }), late);
    } finally {
      await patient.close();
    }
  });

  test("an nft that was killed costs the line that was under way at most", async () => {
    await shell.run("add table ip t");
    kill(shell.pid, "SIGKILL");

    const outcomes = await Promise.allSettled(["u", "v", "w"].map((table) => shell.run(`add table ip ${table}`)));

    assert.ok(outcomes.filter(({ status }) => status === "rejected").length <= 1);
    assert.equal(outcomes.at(-1)?.status, "fulfilled");
  });

  test("what could end the line, or wait for more, never reaches nft", async () => {
    for (const line of ["add table ip t\nadd table ip u", "add table ip t \\", "quit", " exit", "", "  "])
      await assert.rejects(shell.run(line), hasCode("INVALID"));
    assert.equal(shell.starts, 0);
  });

  test("a namespace that was made anew under the same name gets the next line", async () => {
    await shell.run("add table ip old");
    await deleteNamespace(namespace);
    await createNamespace(namespace);

    await shell.run("add table ip fresh");

    assert.equal((await nft(namespace, "list", "tables")).trim(), "table ip fresh");
  });

  test("without the namespace a line fails, and nothing is done elsewhere", async () => {
    await deleteNamespace(namespace);
    await assert.rejects(shell.run("add table ip t"), hasCode("NOT_FOUND"));
    assert.equal(shell.starts, 0);
  });

  test("changes of others are seen", async () => {
    await shell.run("add table ip t");
    await nft(namespace, "add", "map", "ip", "t", "m", "{ type ipv4_addr : ipv4_addr ; }");
    await shell.run("add element ip t m { 1.2.3.4 : 5.6.7.8 }");
    await nft(namespace, "flush", "map", "ip", "t", "m");

    assert.doesNotMatch(await shell.run("list map ip t m"), /1\.2\.3\.4/);
  });
});

describe("a pool of nft shells", { skip: skipWithoutRoot }, () => {
  const namespaces: string[] = [];
  const pools: { close(): Promise<void> }[] = [];
  const makeNamespaces = async (count: number): Promise<readonly string[]> => {
    const prefix = randomPrefix();
    for (let index = 0; index < count; index += 1) namespaces.push(await createNamespace(`${prefix}${index}`));
    return [...namespaces];
  };
  const openPool = (options: ConstructorParameters<typeof NftShellPool>[0]): NftShellPool => {
    const pool = new NftShellPool(options);
    pools.push(pool);
    return pool;
  };
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
    for (const name of namespaces.splice(0)) await deleteNamespace(name);
  });

  test("the shells that were not used for longest are ended when there are too many", async () => {
    const [a = "", b = "", c = ""] = await makeNamespaces(3);
    const pool = openPool({ maxShells: 2 });
    for (const name of [a, b, a, c]) await pool.run(name, "list tables");

    assert.equal(pool.size, 2);
    assert.equal(pool.starts, 3);
    await pool.run(a, "list tables");
    assert.equal(pool.starts, 3);
    await pool.run(b, "list tables");
    assert.equal(pool.starts, 4);
  });

  test("more namespaces at once than shells are allowed all get their turn", async () => {
    const names = await makeNamespaces(6);
    const pool = openPool({ maxShells: 2 });

    await Promise.all(names.map((name) => pool.run(name, "add table ip t")));

    for (const name of names) assert.match(await nft(name, "list", "tables"), /table ip t/);
  });

  test("shells without work are ended after a while", async () => {
    const [a = ""] = await makeNamespaces(1);
    const pool = openPool({ idleMs: 100 });
    await pool.run(a, "list tables");

    await waitFor(() => pool.size === 0, { limitMs: 10_000, what: "the end of the idle shell" });
  });

  test("a namespace that is removed is not kept alive by its shell", async () => {
    const [a = ""] = await makeNamespaces(1);
    const watch = new NamespaceWatch();
    pools.push({ close: async () => watch.close() });
    const pool = openPool({ watch });
    await pool.run(a, "list tables");
    const device = `v${a.slice(0, 8)}`;
    await sh("ip", "link", "add", device, "type", "veth", "peer", "name", "inner", "netns", a);

    await deleteNamespace(a);

    // The kernel takes the pair away with the namespace, once nobody is inside.
    await waitFor(async () => !(await sh("ip", "-o", "link")).includes(`${device}@`), {
      limitMs: 10_000,
      what: "the device of the removed namespace to go",
    });
  });
});
