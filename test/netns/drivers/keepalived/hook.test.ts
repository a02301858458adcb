// What keepalived runs at each change of state, in a namespace of its own: no keepalived, no agent.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { KeepalivedDriver } from "../../../../src/drivers/keepalived/keepalived-driver.ts";
import { haStateDirectory, haStateFile } from "../../../../src/drivers/l3-layout.ts";
import { processRunner } from "../../../../src/linux/command-runner.ts";
import { findProcesses, isAlive, sendSignal } from "../../../../src/linux/process-table.ts";
import { routerId } from "../../../../src/model/ids.ts";
import { firstOutput } from "../../../helpers/children.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomId,
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
  let keepalived: ChildProcess | undefined;
  const ip = (...words: readonly string[]): Promise<string> => sh("ip", "-n", name, ...words);
  const run = (...said: readonly string[]): Promise<string> =>
    sh("ip", "netns", "exec", name, script, join(directory.path, "hook"), join(directory.path, "state"), ...said);
  const said = (word: string): Promise<string> => run("INSTANCE", "VR_7", word, "50");
  const state = async (): Promise<string> => (await readFile(join(directory.path, "state"), "utf8")).trim();
  const setting = async (): Promise<string> =>
    (await sh("ip", "netns", "exec", name, "cat", "/proc/sys/net/ipv4/conf/qg-1/arp_ignore")).trim();

  /** Of keepalived, as far as the hook looks at it. @param hasOwnSession another than that of the words that the tests say */
  const startStandIn = async (hasOwnSession: boolean): Promise<ChildProcess> => {
    const words = ["-e", "$| = 1; print 'up'; sleep", join(directory.path, "conf")];
    const child = spawn("perl", words, { stdio: ["ignore", "pipe", "inherit"], detached: hasOwnSession });
    await firstOutput(child, /up/);
    return child;
  };
  const writeHook = async (holdSeconds: number, speakSeconds = 60): Promise<void> => {
    const own = [
      "own qg-1 fa:16:3e:00:00:01 192.0.2.1/24 c0000201",
      "own qg-1 fa:16:3e:00:00:01 2001:db8::1/64 20010db8000000000000000000000001",
    ];
    const routes = ["route 198.51.100.0/24 proto static via 192.0.2.9"];
    const settings = ["set net/ipv4/conf/qg-1/arp_ignore 0 8", "announce qg-1 fa:16:3e:00:00:01", ""];
    const lines = ["address 169.254.0.7", `hold ha-1 ${holdSeconds} ${speakSeconds}`, ...own, ...routes, ...settings];
    await writeFile(join(directory.path, "hook"), lines.join("\n"));
  };
  /** Addresses and routes that only the primary has. */
  const owned = async (): Promise<string> => {
    const addresses = (await ip("-o", "addr", "show", "dev", "qg-1")).match(/192\.0\.2\.1|2001:db8::1/g) ?? [];
    const routes = (await ip("route")).match(/198\.51\.100\.0\/24 via 192\.0\.2\.9/g) ?? [];
    return [...addresses, ...routes].join(" ");
  };
  const everything = "192.0.2.1 2001:db8::1 198.51.100.0/24 via 192.0.2.9";
  const becomePrimary = async (): Promise<void> => {
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    await said("MASTER");
    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
  };
  const loseVirtualAddress = (): Promise<string> => ip("addr", "del", "169.254.0.7/32", "dev", "lo");
  const waitForState = (wanted: string): Promise<unknown> =>
    waitFor(async () => (await state()) === wanted, { limitMs: 10_000, what: `state ${wanted}` });

  before(async () => {
    directory = await createTestDirectory();
    await createNamespace(name);
    await ip("link", "set", "lo", "up");
    await ip("link", "add", "qg-1", "type", "veth", "peer", "name", "wire");
    await ip("link", "add", "ha-1", "type", "veth", "peer", "name", "others");
    for (const device of ["qg-1", "wire", "ha-1", "others"]) await ip("link", "set", device, "up");
    // As the router driver has it: with its last address a device loses all its routes.
    await ip("addr", "add", "169.254.0.255/32", "dev", "qg-1", "scope", "host");
    const routes = [...Array(floatingIps).keys()].map(
      (n) => `route add local 203.0.${n >> 8}.${n & 255} dev qg-1 proto static`,
    );
    await writeFile(join(directory.path, "routes"), `${routes.join("\n")}\n`);
    await ip("-batch", join(directory.path, "routes"));
    await writeHook(60);
    keepalived = await startStandIn(false);
  });
  beforeEach(async () => {
    await writeHook(60);
    await writeFile(join(directory.path, "pid"), `${keepalived?.pid}\n`);
    for (const device of ["lo", "ha-1"]) await ip("addr", "flush", "dev", device, "to", "169.254.0.0/16");
    // In good order, whatever the test before has left.
    await said("FAULT");
    assert.equal(await state(), "backup");
  });
  after(async () => {
    keepalived?.kill("SIGKILL");
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

  test("a word of giving up waits until the address has gone, and takes all away", async () => {
    await becomePrimary();

    const running = said("STOP");
    await loseVirtualAddress();
    await running;

    assert.deepEqual([await state(), await setting(), await owned()], ["backup", "8", ""]);
  });

  test("a word that is still being worked off when the router is removed leaves no state behind", async () => {
    const id = routerId(randomId());
    const own = join(directory.path, "l3", "ha", id);
    await mkdir(own, { recursive: true });
    await mkdir(haStateDirectory(directory.path), { recursive: true });
    await cp(join(directory.path, "hook"), join(own, "hook"));
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    const files = [join(own, "hook"), haStateFile(directory.path, id)];
    // Waits for the virtual address to go, which it does not.
    const running = sh("ip", "netns", "exec", name, script, ...files, "INSTANCE", "VR_7", "STOP", "50");
    await waitFor(() => existsSync(join(own, "hook.lock")), { limitMs: 10_000, what: "the hook to begin" });

    await new KeepalivedDriver({ stateDir: directory.path, runner: processRunner(), advertMs: 1000 }).remove(id);
    await running;

    assert.deepEqual([existsSync(own), await readdir(haStateDirectory(directory.path))], [false, []]);
  });

  test("a keepalived that was killed and starts again as nobody: all stays until it is the primary again", async () => {
    await becomePrimary();
    await loseVirtualAddress();

    await said("BACKUP");
    await run();
    await run("CHECK");
    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
    await becomeAgain();

    await run("CHECK");
    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
  });

  const becomeAgain = async (): Promise<void> => {
    await ip("addr", "add", "169.254.0.7/32", "dev", "lo");
    await said("MASTER");
  };

  test("a keepalived that has taken its address away and not said so yet: an agent's look takes nothing away", async () => {
    await becomePrimary();
    await loseVirtualAddress();

    await run("CHECK");
    await run();
    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
    await said("BACKUP");
    await run("CHECK");

    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
    await becomeAgain();
  });

  test("a late word of a keepalived that another one has taken the place of says nothing of that one", async () => {
    await becomePrimary();
    await loseVirtualAddress();
    // In a session of its own as all of them are.
    const next = await startStandIn(true);
    try {
      await writeFile(join(directory.path, "pid"), `${next.pid}\n`);

      await said("STOP");

      assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
      await becomeAgain();
    } finally {
      const ended = once(next, "close");
      next.kill("SIGKILL");
      await ended;
    }
  });

  test("a keepalived whose parent was killed ends in good order: all stays, and whoever watches the state hears of it", async () => {
    await becomePrimary();
    await loseVirtualAddress();
    await writeFile(join(directory.path, "pid"), dead);
    const before = (await stat(join(directory.path, "state"))).ino;

    await said("STOP");

    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
    assert.notEqual((await stat(join(directory.path, "state"))).ino, before);
  });

  test("who was killed gives up as soon as another host says that it is the primary, and hears nothing else", async () => {
    await becomePrimary();
    await loseVirtualAddress();
    await said("BACKUP");

    // Of another router, and of one that gives up itself.
    await advertise(8, 50);
    await advertise(7, 0);
    await run("CHECK");
    assert.deepEqual([await state(), await owned()], ["primary", everything]);
    await assertGivesUp();
  });

  /** To another host that says it is the primary again and again, as a keepalived does: who was killed may not listen yet. */
  const assertGivesUp = async (): Promise<void> => {
    const isBackup = async (): Promise<boolean> => {
      await advertise(7, 50);
      return (await state()) === "backup";
    };
    await waitFor(isBackup, { limitMs: 10_000, what: "it to give up" });
    assert.deepEqual([await setting(), await owned()], ["8", ""]);
  };
  const dead = "4194305\n";

  test("what listens for others and is killed is followed by the next look", async () => {
    await becomePrimary();
    await loseVirtualAddress();
    await said("BACKUP");
    const listeners = findProcesses((argv) => argv.includes(join(directory.path, "hook")) && argv.includes("BACKUP"));
    // One of the test before may be about to end.
    assert.ok(listeners.filter((listener) => sendSignal(listener, "SIGKILL")).length > 0);
    await waitFor(() => !listeners.some(isAlive), { limitMs: 10_000, what: "its end" });

    await run("CHECK");

    assert.deepEqual([await state(), await owned()], ["primary", everything]);
    await assertGivesUp();
  });

  test("a virtual address that a dead keepalived has left hides nobody who says that it is the primary", async () => {
    await ip("addr", "add", "169.254.0.7/24", "dev", "ha-1");
    await said("MASTER");
    await writeFile(join(directory.path, "pid"), dead);

    await run();

    assert.doesNotMatch(await ip("addr", "show", "dev", "ha-1"), /169\.254\.0\.7/);
    assert.deepEqual([await state(), await owned()], ["primary", everything]);
    await assertGivesUp();
  });

  test("a keepalived that lives, has taken its address away and never says so has given up", async () => {
    await writeHook(60, 0.5);
    await becomePrimary();
    await loseVirtualAddress();

    await run("CHECK");

    await waitForState("backup");
    assert.deepEqual([await setting(), await owned()], ["8", ""]);
  });

  test("a keepalived that dies before it says so: all stays until another host says that it is the primary", async () => {
    // Enough for what follows on a busy machine.
    await writeHook(60, 3);
    await becomePrimary();
    await loseVirtualAddress();

    await run("CHECK");
    await writeFile(join(directory.path, "pid"), dead);
    const until = async (): Promise<number> => Number(await readFile(join(directory.path, "hook.hold"), "utf8"));
    const isHeldOn = async (): Promise<boolean> => (await until()) > Date.now() / 1000 + 30;
    await waitFor(isHeldOn, { limitMs: 10_000, what: "all to be held" });

    assert.deepEqual([await state(), await setting(), await owned()], ["primary", "0", everything]);
    await assertGivesUp();
  });

  /** As of a keepalived behind the other end of the HA device. */
  const advertise = (vrId: number, priority: number): Promise<string> => {
    const frame = [
      "01005e000012020000000009" + "0800",
      "45c000200001000" + "0ff700000" + "c0a80001" + "e0000012",
      `31${Buffer.from([vrId, priority]).toString("hex")}010064` + "0000" + "a9fe0007",
    ].join("");
    const program = "import socket,sys; s=socket.socket(17,3,0); s.bind(('others',0)); s.send(bytes.fromhex(sys.argv[1]))";
    return sh("ip", "netns", "exec", name, "python3", "-c", program, frame);
  };

  test("who was killed gives up when nobody comes", async () => {
    await becomePrimary();
    await loseVirtualAddress();
    await writeHook(0.5);

    await said("BACKUP");

    await waitForState("backup");
    assert.deepEqual([await setting(), await owned()], ["8", ""]);
  });

  test("a check sets what others have set, and says how much that was", async () => {
    await becomePrimary();
    await sh("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.conf.qg-1.arp_ignore=8");

    assert.equal(await run("CHECK"), "1\n");
    assert.equal(await run("CHECK"), "0\n");
    assert.equal(await setting(), "0");
  });

  test("what a run that was killed had half written goes with the next one", async () => {
    for (const half of [".state.new", ".hook.hold.new"]) await writeFile(join(directory.path, half), "prim");

    await run("CHECK");

    assert.deepEqual(
      (await readdir(directory.path)).filter((file) => file.startsWith(".")),
      [],
    );
    assert.equal(await state(), "backup");
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
    const frames = (): readonly string[] => heard.split("\n").filter((line) => line.includes("Request who-has"));
    const told = (): number => new Set(frames().map((line) => /who-has (\S+)/.exec(line)?.[1])).size;
    try {
      await firstOutput(listener, /listening on/);
      // Without a word, as the agent runs it: nothing is repeated later.
      await run();
      await waitFor(() => told() === floatingIps + 1, { limitMs: 10_000, what: "all announcements" });
    } finally {
      const ended = once(listener, "close");
      listener.kill("SIGINT");
      await ended;
    }

    // The last line may have been cut off.
    const lines = frames().slice(0, floatingIps + 1);
    assert.ok(lines.every((line) => line.includes("fa:16:3e:00:00:01 > ff:ff:ff:ff:ff:ff")));
    assert.match(heard, /who-has 192\.0\.2\.1 /);
  });
});
