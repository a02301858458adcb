// What keepalived runs at each change of state, in a namespace of its own: no keepalived, no agent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomPrefix,
  sh,
  skipWithoutRoot,
  type TestDirectory,
} from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const script = fileURLToPath(new URL("../../../../src/drivers/keepalived/netloom-ha-notify", import.meta.url));
const floatingIps = 1000;

describe("the hook of keepalived", { skip: skipWithoutRoot }, () => {
  const name = `${randomPrefix()}hook`;
  let directory: TestDirectory;
  const ip = (...words: readonly string[]): Promise<string> => sh("ip", "-n", name, ...words);
  const run = (...said: readonly string[]): Promise<string> =>
    sh("ip", "netns", "exec", name, script, join(directory.path, "hook"), join(directory.path, "state"), ...said);
  const said = (word: string): Promise<string> => run("INSTANCE", "VR_7", word, "50");
  const state = async (): Promise<string> => (await readFile(join(directory.path, "state"), "utf8")).trim();
  const setting = async (): Promise<string> =>
    (await sh("ip", "netns", "exec", name, "cat", "/proc/sys/net/ipv4/conf/qg-1/arp_ignore")).trim();

  before(async () => {
    directory = await createTestDirectory();
    await createNamespace(name);
    await ip("link", "set", "lo", "up");
    await ip("link", "add", "qg-1", "type", "veth", "peer", "name", "wire");
    for (const device of ["qg-1", "wire"]) await ip("link", "set", device, "up");
    const routes = [...Array(floatingIps).keys()].map(
      (n) => `route add local 203.0.${n >> 8}.${n & 255} dev qg-1 proto static`,
    );
    await writeFile(join(directory.path, "routes"), `${routes.join("\n")}\n`);
    await ip("-batch", join(directory.path, "routes"));
    const lines = ["address 169.254.0.7", "set net/ipv4/conf/qg-1/arp_ignore 0 8", "announce qg-1 fa:16:3e:00:00:01", ""];
    await writeFile(join(directory.path, "hook"), lines.join("\n"));
  });
  beforeEach(async () => {
    await ip("addr", "flush", "dev", "lo", "to", "169.254.0.0/16");
    await run();
  });
  after(async () => {
    await deleteNamespace(name);
    await directory.remove();
  });

  test("who has the virtual address is the primary, whatever the word was", async () => {
    assert.deepEqual([await state(), await setting()], ["backup", "8"]);
    await said("MASTER");
    assert.deepEqual([await state(), await setting()], ["backup", "8"]);

    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    await said("MASTER");
    assert.deepEqual([await state(), await setting()], ["primary", "0"]);
    await run();
    assert.equal(await state(), "primary");
  });

  test("a word of giving up waits until the address has gone", async () => {
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    await said("MASTER");

    const running = said("STOP");
    await ip("addr", "del", "169.254.0.7/32", "dev", "lo");
    await running;

    assert.deepEqual([await state(), await setting()], ["backup", "8"]);
  });

  test("runs that overlap end in what is true", async () => {
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");

    await Promise.all(["MASTER", "BACKUP", "MASTER", "FAULT", "MASTER"].map(said));

    assert.deepEqual([await state(), await setting()], ["primary", "0"]);
  });

  test("a take-over announces every floating IP in one run, with the gateway's MAC", async () => {
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    const argv = ["netns", "exec", name, "tcpdump", "-n", "-e", "-l", "--immediate-mode", "-B", "16384", "-i", "wire", "arp"];
    const listener = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    let heard = "";
    listener.stdout.setEncoding("utf8").on("data", (chunk: string) => (heard += chunk));
    await once(listener.stderr, "data");

    // Without a word, as the agent runs it: nothing is repeated later.
    await run();
    const frames = (): readonly string[] => heard.split("\n").filter((line) => line.includes("Request who-has"));
    const told = (): number => new Set(frames().map((line) => /who-has (\S+)/.exec(line)?.[1])).size;
    try {
      await waitFor(() => told() === floatingIps, { limitMs: 5000, what: "all announcements" });
    } finally {
      const ended = once(listener, "close");
      listener.kill("SIGINT");
      await ended;
    }

    // The last line may have been cut off.
    const lines = frames().slice(0, floatingIps);
    assert.ok(lines.every((line) => line.includes("fa:16:3e:00:00:01 > ff:ff:ff:ff:ff:ff")));
  });
});
