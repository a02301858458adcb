// The client against a peer that says what it likes.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { busDriver, DBusConnection } from "../../../src/lease-bus/dbus-connection.ts";
import { decodeMessage, encodeCall, splitMessages } from "../../../src/lease-bus/dbus-message.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import { waitFor } from "../../helpers/wait-for.ts";

/** An answer without values. */
function answerTo(serial: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.set([108, 2, 1, 1]);
  bytes.writeUInt32LE(99, 8);
  bytes.writeUInt32LE(8, 12);
  bytes.set([5, 1, 117, 0], 16);
  bytes.writeUInt32LE(serial, 20);
  return bytes;
}

describe("DBusConnection", () => {
  let directory: string;
  let socketPath: string;
  let server: Server;
  const sockets = new Set<Socket>();
  let lost: string[];
  /** What the peer does with each message; the sign-in is done for it. */
  let onMessage: (socket: Socket, serial: number) => void;
  let signIn: string;

  const open = async (): Promise<DBusConnection> =>
    DBusConnection.open({ socketPath, timers: systemTimers, onSignal: () => {}, onLost: (reason) => lost.push(reason) });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-dbus-"));
    socketPath = join(directory, "bus");
    lost = [];
    signIn = "OK 1234\r\n";
    onMessage = (socket, serial) => socket.write(answerTo(serial));
    server = createServer((socket) => {
      sockets.add(socket);
      let text: Buffer = Buffer.alloc(0);
      let isIn = false;
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        text = Buffer.concat([text, chunk]);
        if (!isIn && text.includes("AUTH EXTERNAL") && text.includes("\r\n") && !text.includes("BEGIN")) {
          text = Buffer.alloc(0);
          socket.write(signIn);
        }
        const begin = text.indexOf("BEGIN\r\n");
        if (!isIn && begin >= 0) {
          isIn = true;
          text = text.subarray(begin + 7);
        }
        if (!isIn) return;
        const { messages, rest } = splitMessages(text);
        text = rest;
        for (const bytes of messages) onMessage(socket, decodeMessage(bytes).serial);
      });
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });

  test("it signs in, says hello, and calls at once find their own answers", async () => {
    const held: (() => void)[] = [];
    const connection = await open();
    onMessage = (socket, serial) => held.push(() => socket.write(answerTo(serial)));

    const calls = [1, 2, 3].map(() => connection.call({ ...busDriver, member: "Ping" }, 3000));
    await waitFor(() => held.length === 3, { limitMs: 10_000, what: "three calls" });
    for (const answer of held.toReversed()) answer();

    assert.deepEqual(await Promise.all(calls), [[], [], []]);
    connection.close();
    assert.deepEqual(lost, []);
  });

  test("a peer that refuses, or says too much, is not signed in to", async () => {
    for (const text of ["REJECTED EXTERNAL\r\n", "x".repeat(2000)]) {
      signIn = text;
      await assert.rejects(open(), { code: "UNAVAILABLE" });
    }
    assert.deepEqual(lost, []);
  });

  test("nobody there is said at once", async () => {
    await assert.rejects(
      DBusConnection.open({ socketPath: `${socketPath}-none`, timers: systemTimers, onSignal: () => {}, onLost: () => {} }),
      { code: "UNAVAILABLE" },
    );
  });

  test("a call without an answer ends in time, and the next is answered", async () => {
    const connection = await open();
    onMessage = () => {};
    await assert.rejects(connection.call({ ...busDriver, member: "Ping" }, 30), { code: "TIMEOUT" });

    onMessage = (socket, serial) => socket.write(answerTo(serial));
    assert.deepEqual(await connection.call({ ...busDriver, member: "Ping" }, 3000), []);
    connection.close();
  });

  const garbage: readonly (readonly [string, Buffer])[] = [
    ["garbage", Buffer.alloc(64, "x")],
    ["a message of two gigabytes", Buffer.from([108, 4, 0, 1, 255, 255, 255, 127, 1, 0, 0, 0, 0, 0, 0, 0])],
    [
      "a message with a wrong inside",
      Buffer.concat([Buffer.from([108, 4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0]), Buffer.alloc(8, 255)]),
    ],
    ["the end", Buffer.alloc(0)],
  ];
  for (const [what, bytes] of garbage) {
    test(`${what} ends the connection once, and rejects who waits`, async () => {
      const connection = await open();
      onMessage = (socket) => (bytes.length === 0 ? socket.destroy() : socket.write(bytes));

      await assert.rejects(connection.call({ ...busDriver, member: "Ping" }, 3000), { code: "UNAVAILABLE" });

      assert.equal(lost.length, 1);
      await assert.rejects(connection.call({ ...busDriver, member: "Ping" }, 3000), { code: "UNAVAILABLE" });
    });
  }

  test("answers to nothing and calls by others are passed over", async () => {
    const connection = await open();
    onMessage = (socket, serial) => {
      socket.write(answerTo(serial + 1000));
      socket.write(encodeCall({ ...busDriver, member: "Evil" }, 5));
      socket.write(answerTo(serial));
    };

    assert.deepEqual(await connection.call({ ...busDriver, member: "Ping" }, 3000), []);
    connection.close();
  });
});
