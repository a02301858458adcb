import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readlink } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { type CommandRunner, processRunner } from "../../../src/linux/command-runner.ts";
import { ForkServer } from "../../../src/linux/fork-server.ts";
import { createNamespace, createTestDirectory, deleteNamespace, skipWithoutRoot } from "../../helpers/namespaces.ts";

const noFallback: CommandRunner = { run: () => Promise.reject(new Error("the fallback was asked")) };

function createServer(t: TestContext): ForkServer {
  const server = new ForkServer(noFallback);
  t.after(() => server.close());
  return server;
}

test("a command gets its words, its input and its environment, and nothing else of ours", async (t) => {
  const server = createServer(t);

  const result = await server.run(
    ["sh", "-c", 'cat; printf "%s|" "$@"; env | sort; echo bad >&2; exit 3', "sh", "a b", "", "ü\n'"],
    {
      stdin: "in put\n",
      env: { NETLOOM_X: "1=2" },
    },
  );

  assert.equal(result.exitCode, 3);
  assert.equal(result.stderr, "bad\n");
  assert.match(result.stdout, /^in put\na b\|\|ü\n'\|/);
  assert.match(result.stdout, /NETLOOM_X=1=2/);
  assert.doesNotMatch(result.stdout, /HOME=/);
});

test("commands run beside each other, and each gets its own answer", async (t) => {
  const server = createServer(t);
  const directory = await createTestDirectory();
  t.after(() => directory.remove());
  // Each ends when all have come: one after the other they never would.
  const meet = 'touch "$1/$2"; while [ "$(ls "$1" | wc -l)" -lt 12 ]; do sleep 0.05; done; echo "$2"';

  const numbers = Array.from({ length: 12 }, (_, n) => n);
  const results = await Promise.all(
    numbers.map((n) => server.run(["sh", "-c", meet, "sh", directory.path, String(n)], { timeoutMs: 30_000 })),
  );

  assert.deepEqual(
    results.map(({ stdout }) => Number(stdout)),
    numbers,
  );
});

test("large input and output come through whole", async (t) => {
  const server = createServer(t);
  const text = randomBytes(300_000).toString("hex");

  const { stdout } = await server.run(["cat"], { stdin: text });

  assert.equal(stdout, text);
});

test("a tool that is missing is named with its package, one that takes too long is ended", async (t) => {
  const server = createServer(t);

  await assert.rejects(server.run(["no-such-tool"]), { code: "UNAVAILABLE", message: /no-such-tool is not installed/ });
  await assert.rejects(server.run(["sleep", "20"], { timeoutMs: 50 }), { code: "TIMEOUT" });
});

test("a fork server that says nothing any more is ended, and the next command has a new one", async (t) => {
  const server = new ForkServer(noFallback, undefined, { killLimitMs: 100 });
  t.after(() => server.close());

  await assert.rejects(server.run(["sh", "-c", "kill -STOP $PPID"], { timeoutMs: 100 }), { code: "TIMEOUT" });

  assert.equal((await server.run(["echo", "on"])).stdout, "on\n");
});

test("what is under way when it is closed fails, and the next command has a new child", async (t) => {
  const server = createServer(t);
  const slow = server.run(["sleep", "1"]);

  server.close();

  await assert.rejects(slow, { code: "UNAVAILABLE" });
  assert.equal((await server.run(["echo", "on"])).stdout, "on\n");
});

test("without perl the fallback runs everything", async () => {
  const server = new ForkServer(processRunner(), "/nonexistent");

  assert.equal((await server.run(["echo", "here"])).stdout, "here\n");
});

test("nsenter's namespace is entered, and one that does not exist is an error", { skip: skipWithoutRoot }, async (t) => {
  const server = createServer(t);
  const namespace = await createNamespace(`t${randomBytes(3).toString("hex")}-fork`);
  t.after(() => deleteNamespace(namespace));
  const where = (name: string) => server.run(["nsenter", `--net=/run/netns/${name}`, "readlink", "/proc/self/ns/net"]);

  const { stdout } = await where(namespace);
  const { exitCode, stderr } = await where("no-such-namespace");

  assert.notEqual(stdout.trim(), await readlink("/proc/self/ns/net"));
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot enter namespace .*: No such file/);
});
