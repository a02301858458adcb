// When `netloom up` cannot start: one clear line, a non-zero exit, nothing half-made.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { findProcessesOf } from "../helpers/instance.ts";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { type CommandResult, netloom } from "../helpers/netloom-up.ts";

async function scratch(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "netloom-refusal-"));
  await chmod(path, 0o755);
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Exit codes as `netloom --help` tells them. */
type Refusal = "failure" | "usage" | "conflict" | "unreachable";
const exitCodes: Readonly<Record<Refusal, number>> = { failure: 1, usage: 2, conflict: 4, unreachable: 5 };

function assertRefused(result: CommandResult, message: RegExp, refusal: Refusal = "conflict"): void {
  assert.equal(result.exitCode, exitCodes[refusal], result.stderr);
  assert.equal(result.stdout, "");
  assert.match(result.stderr, message);
  assert.equal(result.stderr.trim().split("\n").length, 1, `more than one line: ${result.stderr}`);
}

async function takePort(context: TestContext): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  return address.port;
}

/** Directory for PATH with everything that netloom needs except `missing`. */
async function pathWithout(directory: string, missing: string): Promise<string> {
  const bin = join(directory, "bin");
  await mkdir(bin);
  for (const name of ["ip", "nsenter", "setpriv", "perl", "nft", "dnsmasq", "nats-server"]) {
    if (name === missing) continue;
    const found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"].map((one) => join(one, name)).find(existsSync);
    assert.ok(found, `${name} is not installed`);
    await symlink(found, join(bin, name));
  }
  return bin;
}

suite("netloom up refuses to start", { skip: skipWithoutRoot }, () => {
  test("when its port is taken", async (context) => {
    const stateDir = join(await scratch(context), "state");
    const port = await takePort(context);

    const result = await netloom(["up", "--state-dir", stateDir, "--listen", `127.0.0.1:${port}`]);

    assertRefused(result, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: it is taken by another program`));
    assert.equal(existsSync(stateDir), false, "a state directory was left behind");
  });

  test("when its state directory cannot be written", async (context) => {
    const file = join(await scratch(context), "file");
    await writeFile(file, "");

    assertRefused(await netloom(["up", "--state-dir", "/proc/netloom"]), /state directory \/proc\/netloom is not writable/);
    assertRefused(await netloom(["up", "--state-dir", join(file, "state")]), /is not writable/);
    assertRefused(await netloom(["up", "--state-dir", file]), /is not a directory/);
  });

  test("when the state directory holds somebody else's files", async (context) => {
    const directory = await scratch(context);
    await writeFile(join(directory, "thesis.txt"), "years of work");

    assertRefused(await netloom(["up", "--state-dir", directory]), /files of somebody else/);
    assertRefused(await netloom(["down", "--state-dir", directory]), /not made by netloom up/);
    assert.deepEqual(await readdir(directory), ["thesis.txt"]);
  });

  test("when NATS is not reachable", async (context) => {
    const stateDir = join(await scratch(context), "state");

    const result = await netloom([
      "up",
      "--state-dir",
      stateDir,
      "--listen",
      "127.0.0.1:0",
      "--nats-url",
      "nats://127.0.0.1:1",
    ]);

    assertRefused(result, /NATS is not reachable at nats:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/, "unreachable");
    assert.equal(existsSync(stateDir), false);
  });

  for (const db of ["sqlite:/nowhere/x.db", "postgres://nobody@127.0.0.1:1/x"]) {
    test(`when the database is not to be had: ${db}`, async (context) => {
      const stateDir = join(await scratch(context), "state");

      const result = await netloom(["up", "--state-dir", stateDir, "--listen", "127.0.0.1:0", "--db", db]);

      assertRefused(result, /server did not start: cannot open the database [^ ]+: [^(]+$/, "unreachable");
      assert.equal(existsSync(stateDir), false, "a state directory was left behind");
      assert.deepEqual(await findProcessesOf(stateDir), [], "programs were left running");
    });
  }

  test("when its state directory has a path too long for the sockets inside", async (context) => {
    const stateDir = join(await scratch(context), "x".repeat(90));

    assertRefused(
      await netloom(["up", "--state-dir", stateDir]),
      /state_dir \(--state-dir\): must have at most 80 bytes/,
      "usage",
    );
    assert.equal(existsSync(stateDir), false);
  });

  for (const [program, debianPackage] of [
    ["dnsmasq", "dnsmasq-base"],
    ["nats-server", "nats-server"],
    ["ip", "iproute2"],
  ] as const) {
    test(`when ${program} is not installed`, async (context) => {
      const directory = await scratch(context);
      const stateDir = join(directory, "state");
      const env = { PATH: await pathWithout(directory, program) };

      const result = await netloom(["up", "--state-dir", stateDir], env);

      assertRefused(result, new RegExp(`${program} not found in PATH: apt-get install -y ${debianPackage}\n$`), "unreachable");
      assert.equal(existsSync(stateDir), false);
    });
  }

  test("when the user is not root", async (context) => {
    const stateDir = join(await scratch(context), "state");

    const result = await netloom(["up", "--state-dir", stateDir], {}, { asNobody: true });

    assertRefused(result, /netloom up needs root, because it makes network namespaces: run it with sudo/, "failure");
  });

  test("when a flag or its value is wrong, with exit code 2", async () => {
    for (const argv of [
      ["--stat-dir", "/x"],
      ["--listen", "9696"],
      ["--listen", "0.0.0.0:9696"],
      ["--state-dir", "relative"],
    ]) {
      const result = await netloom(["up", ...argv]);

      assert.equal(result.exitCode, 2, result.stderr);
      assert.equal(result.stderr.trim().split("\n").length, 1);
    }
  });
});
