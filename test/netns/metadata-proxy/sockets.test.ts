// One suite for both ways of making a listener in another namespace.
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { ChildSockets } from "../../../src/metadata-proxy/child-sockets.ts";
import { chooseSockets } from "../../../src/metadata-proxy/choose-sockets.ts";
import type { ListenPlace, NamespaceSockets } from "../../../src/metadata-proxy/namespace-sockets.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomPrefix,
  sh,
  skipWithoutRoot,
} from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const runner = processRunner();
const countDescriptors = (): number => readdirSync("/proc/self/fd").length;
/** The channel to a child is there until this process has heard of the child's end; one of a child before may have gone since. */
const waitForDescriptors = (most: number): Promise<unknown> =>
  waitFor(() => countDescriptors() <= most, { limitMs: 10_000, what: `no more than ${most} descriptors` });
const errnoOf = (thrown: unknown): unknown => (thrown instanceof NetloomError ? thrown.detail["errno"] : thrown);

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

for (const kind of ["setns", "child"] as const) {
  describe(`sockets in namespaces by ${kind}`, { skip: skipWithoutRoot }, () => {
    const prefix = randomPrefix();
    const [blue, red, guest] = [`${prefix}blue`, `${prefix}red`, `${prefix}guest`];
    let sockets: NamespaceSockets;

    const place = (namespace: string, address = "169.254.169.254"): ListenPlace => ({
      namespace,
      device: "eth0",
      address,
      port: 80,
    });
    /** Opens a listener, lets `ask` connect to it, and answers what its end knew of the other. */
    const meet = async (at: ListenPlace, ask: () => Promise<string>): Promise<{ peer: string | undefined; heard: string }> => {
      const server = await sockets.listen(at);
      const peer = new Promise<string | undefined>((resolve) => {
        server.on("connection", (socket: Socket) => {
          socket.on("error", () => {});
          socket.resume();
          void sockets.peerAddress(socket, at).then((found) => {
            resolve(found);
            socket.end(`HTTP/1.0 200 OK\r\n\r\nyou are in ${at.namespace}`);
          });
        });
      });
      const heard = await ask();
      await closeServer(server);
      return { peer: await peer, heard };
    };
    const curl = async (namespace: string, url: string): Promise<string> =>
      sh("nsenter", `--net=/run/netns/${namespace}`, "curl", "-gsS", "--max-time", "5", url);

    before(async () => {
      for (const name of [blue, red, guest]) await createNamespace(name);
      await sh("ip", "-n", blue, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", guest);
      await sh("ip", "-n", red, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1", "netns", guest);
      for (const name of [blue, red]) {
        await sh("ip", "-n", name, "addr", "add", "169.254.169.254/32", "dev", "eth0");
        await sh("ip", "-n", name, "addr", "add", "10.20.0.2/24", "dev", "eth0");
        await sh("ip", "-n", name, "addr", "add", "fe80::a9fe:a9fe/64", "dev", "eth0", "nodad");
        await sh("ip", "-n", name, "link", "set", "lo", "up");
        await sh("ip", "-n", name, "link", "set", "eth0", "up");
      }
      await sh("ip", "-n", guest, "link", "set", "eth0", "up");
      await sh("ip", "-n", guest, "addr", "add", "10.20.0.9/24", "dev", "eth0");
      await sh("ip", "-n", guest, "addr", "add", "fe80::9/64", "dev", "eth0", "nodad");
      await sh("ip", "-n", guest, "route", "add", "169.254.169.254", "via", "10.20.0.2");
      sockets = await chooseSockets({ kind, runner, log: silentLogger });
    });
    after(async () => {
      await sockets.close();
      for (const name of [blue, red, guest]) await deleteNamespace(name);
    });

    test("is what was asked for", () => assert.equal(sockets.kind, kind));

    test("a listener belongs to its namespace alone, and namespaces may have the same address", async () => {
      const red80 = await sockets.listen(place(red));

      const { heard, peer } = await meet(place(blue), async () => curl(guest, "http://169.254.169.254/"));

      assert.equal(heard, `you are in ${blue}`);
      assert.equal(peer, "10.20.0.9");
      await closeServer(red80);
      assert.equal(await sh("ss", "-Hltn", "src", "169.254.169.254"), "", "nothing on the host itself");
    });

    test("the process stays where it was", async () => {
      const before = statSync("/proc/thread-self/ns/net").ino;
      const server = await sockets.listen(place(blue));

      const own = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => own.once("listening", resolve));
      const { port } = own.address() as { port: number };
      const here = await sh("ss", "-Hltn", `sport = :${port}`);

      assert.match(here, /127\.0\.0\.1/);
      assert.equal(statSync("/proc/thread-self/ns/net").ino, before);
      await closeServer(own);
      await closeServer(server);
    });

    test("an IPv6 link-local listener knows a link-local client", async () => {
      const ask = async (): Promise<string> => curl(guest, "http://[fe80::a9fe:a9fe%25eth0]/");

      const { heard, peer } = await meet(place(blue, "fe80::a9fe:a9fe"), ask);

      assert.equal(heard, `you are in ${blue}`);
      assert.equal(peer, "fe80::9");
    });

    test("what cannot be had is told by the kernel's name for it, and costs no descriptor", async () => {
      const server = await sockets.listen(place(blue));
      const before = countDescriptors();

      const refuse = async (at: ListenPlace): Promise<unknown> => sockets.listen(at).then(() => "opened", errnoOf);

      assert.equal(await refuse(place(blue)), "EADDRINUSE");
      assert.equal(await refuse(place(blue, "192.0.2.1")), "EADDRNOTAVAIL");
      assert.equal(await refuse(place(`${prefix}none`)), "ENOENT");
      await waitForDescriptors(before);
      await closeServer(server);
    });

    test("closing frees the address at once", async () => {
      const before = countDescriptors();

      for (let round = 0; round < 3; round += 1) await closeServer(await sockets.listen(place(blue)));

      await waitForDescriptors(before);
    });
  });
}

describe("the child that opens a listener", { skip: skipWithoutRoot }, () => {
  const namespace = `${randomPrefix()}ns`;
  const at: ListenPlace = { namespace, device: "lo", address: "127.0.0.1", port: 80 };

  before(async () => {
    await createNamespace(namespace);
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
  });
  after(async () => deleteNamespace(namespace));

  test("DA-093: is killed when it hangs, and the next try has a new one", async () => {
    const hanging = new ChildSockets({ runner, limitMs: 300, command: ["sh", "-c", "exec sleep 1000"] });

    await assert.rejects(hanging.listen(at), /SIGKILL/);
    await hanging.close();

    const sockets = new ChildSockets({ runner });
    await closeServer(await sockets.listen(at));
    await sockets.close();
  });

  test("one that dies is told with its last words", async () => {
    const dying = new ChildSockets({ runner, command: ["sh", "-c", "echo out of luck >&2; exit 3"] });

    await assert.rejects(dying.listen(at), /out of luck/);
    await dying.close();
  });

  test("one that leaves a child of its own behind is not waited for", async () => {
    const directory = await createTestDirectory();
    const pidPath = join(directory.path, "pid");
    const leaving = new ChildSockets({ runner, command: ["sh", "-c", 'sleep 300 & echo $! > "$0"; exit 3', pidPath] });

    await assert.rejects(leaving.listen(at), /ended with 3/);

    const left = Number(await readFile(pidPath, "utf8"));
    assert.equal(existsSync(`/proc/${left}`), true, "it lives");
    process.kill(left, "SIGKILL");
    await leaving.close();
    await directory.remove();
  });

  test("none is left when the sockets are closed meanwhile", async () => {
    const sockets = new ChildSockets({ runner, command: ["sh", "-c", "exec sleep 1000"] });
    const [first, second, third] = [sockets.listen(at), sockets.listen(at), sockets.listen(at)];
    const outcome = Promise.allSettled([first, second, third]);

    await sockets.close();

    assert.deepEqual(
      (await outcome).map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
  });
});

describe("the choice of sockets", { skip: skipWithoutRoot }, () => {
  const source = (file: string): string => new URL(`../../../src/${file}`, import.meta.url).href;
  /** What a process that may not enter namespaces would take, or the code of its refusal. */
  const chooseWithoutRight = async (kind: string): Promise<string> => {
    const program = `
      const { chooseSockets } = await import("${source("metadata-proxy/choose-sockets.ts")}");
      const { silentLogger } = await import("${source("base/logger.ts")}");
      const warned = [];
      const log = { ...silentLogger, warn: (_, text) => warned.push(text) };
      const chosen = await chooseSockets({ kind: "${kind}", runner: undefined, log }).catch((error) => ({ kind: error.code }));
      console.log(chosen.kind, warned.length);`;
    const node = [process.execPath, "--input-type=module", "-e", program];
    return (await sh("setpriv", "--bounding-set=-sys_admin", ...node)).trim();
  };

  test("is the quick way where that works, else a child, which is said; by name there is no other", async () => {
    const here = await chooseSockets({ kind: "auto", runner, log: silentLogger });
    await here.close();

    assert.equal(here.kind, "setns");
    assert.equal(await chooseWithoutRight("auto"), "child 1");
    assert.equal(await chooseWithoutRight("child"), "child 0");
    assert.equal(await chooseWithoutRight("setns"), "UNAVAILABLE 0");
  });
});
