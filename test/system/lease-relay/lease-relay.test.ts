// The relay against whatever may come through its socket.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { LeaseRelay } from "../../../src/lease-relay/lease-relay.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const network = "0b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11";

function message(values: Readonly<Record<string, unknown>> = {}): string {
  const body = { event: "add", network_id: network, ip_address: "10.0.0.5", lease_remaining: 60, ...values };
  return `${JSON.stringify(body)}\n`;
}

describe("LeaseRelay", () => {
  let stateDir: string;
  let relay: LeaseRelay;
  let warnings: LogFields[];
  let reports: LeaseReport[];

  const newRelay = (): LeaseRelay => {
    const log: Logger = {
      debug: () => {},
      info: () => {},
      warn: (fields) => warnings.push(fields),
      error: (fields) => warnings.push(fields),
      child: () => log,
    };
    return new LeaseRelay({ stateDir, log });
  };
  const open = async (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(relay.socketPath, () => resolve(socket));
      socket.on("error", reject);
    });
  /** Writes, ends unless told otherwise, and waits until the relay has hung up. */
  const send = async (data: string | Buffer, isEnded = true): Promise<void> => {
    const socket = await open();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.removeAllListeners("error");
    // The relay hangs up in the middle of what is too long.
    socket.on("error", () => {});
    socket.resume();
    if (isEnded) socket.end(data);
    else socket.write(data);
    await closed;
  };
  const stillServes = async (): Promise<void> => {
    const before = reports.length;
    await send(message({ ip_address: "10.9.9.9", lease_remaining: 1000 + before }));
    await waitFor(() => reports.length === before + 1, { limitMs: 10_000, what: "the next good message" });
  };

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "netloom-relay-"));
    warnings = [];
    reports = [];
    relay = newRelay();
    relay.onLease((report) => reports.push(report));
    await relay.start();
  });
  afterEach(async () => {
    await relay.close();
    await rm(stateDir, { recursive: true });
  });

  test("DA-203: a good message is told", async () => {
    await send(message({ mac_address: "fa:16:3e:00:00:01", hostname: "web", lease_expires: 2_000_000_000 }));

    assert.equal(reports.length, 1);
    assert.deepEqual(
      { ...reports[0], observedAtMs: 0 },
      {
        event: "add",
        networkId: network,
        ipAddress: "10.0.0.5",
        macAddress: "fa:16:3e:00:00:01",
        hostname: "web",
        expiresAtMs: 2_000_000_000_000,
        observedAtMs: 0,
      },
    );
    assert.deepEqual(warnings, []);
  });

  test("a message without its newline is told when its sender has ended", async () => {
    await send(message().trimEnd());

    assert.equal(reports.length, 1);
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["text that is no JSON", "hello\n", /^not JSON$/],
    ["JSON that is no object", "[1]\n", /^not a lease message: /],
    ["a network id that is none", message({ network_id: "../../etc" }), /^network_id: not a network id$/],
    ["a network id that is a number", message({ network_id: 5 }), /^network_id: not a network id$/],
    ["an id in upper case", message({ network_id: network.toUpperCase() }), /^network_id: not a network id$/],
    ["an address that is none", message({ ip_address: "10.0.0.256" }), /^ip_address: not an IP address$/],
    [
      "a remaining time that is no whole number",
      message({ lease_remaining: 1.5 }),
      /^lease_remaining: not a number of seconds$/,
    ],
    ["a missing key", `${JSON.stringify({ network_id: network })}\n`, /^ip_address: not an IP address$/],
    ["a name with a line break", message({ hostname: "a\nb" }), /^hostname: not a plain name$/],
    ["an event of another kind", message({ event: "tftp" }), /^event: not add, old or del$/],
    ["zero bytes", "\0\0\0\0\n", /^not JSON$/],
  ];
  for (const [what, data, reason] of refused) {
    test(`DA-204: ${what} is warned of in one short line and not told`, async () => {
      await send(data);

      assert.equal(reports.length, 0);
      assert.equal(warnings.length, 1);
      assert.match(String(warnings[0]?.["err"]), reason);
      assert.ok(JSON.stringify(warnings).length < 400);
      await stillServes();
    });
  }

  test("DA-205: one megabyte without a newline is cut, warned of once, and nothing of it is kept", async () => {
    await send(Buffer.alloc(1024 * 1024, "x"));

    assert.equal(reports.length, 0);
    assert.equal(warnings.length, 1);
    assert.ok(JSON.stringify(warnings).length < 1000);
    await stillServes();
  });

  test("a sender that says nothing more is hung up on", async () => {
    await send('{"network_id":', false);

    assert.match(String(warnings[0]?.["err"]), /in time/);
    await stillServes();
  });

  test("of 200 connections at once some are turned away, counted and warned of; it goes on serving", async () => {
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(relay.socketPath);
      socket.on("error", () => {});
      socket.resume();
      return new Promise((resolve) => socket.once("close", resolve));
    });

    await Promise.all(sockets);

    assert.ok(relay.dropped >= 200 - 64 && relay.dropped < 200, `dropped ${relay.dropped}`);
    assert.ok(warnings.length > 0 && warnings.length <= 51, `${warnings.length} warnings`);
    await stillServes();
  });

  test("DA-206: a listener that throws is logged and does not stop the relay", async () => {
    relay.onLease(() => {
      throw new Error("listener");
    });

    await send(message());

    assert.equal(warnings.length, 1);
    assert.equal(reports.length, 1);
  });

  test("DA-207: the directory is made; the socket of a killed agent is taken over, that of a living one is not", async () => {
    await assert.rejects(newRelay().start(), { code: "CONFLICT" });

    await relay.close();
    leaveStaleSocket(relay.socketPath);
    relay = newRelay();
    relay.onLease((report) => reports.push(report));
    await relay.start();

    await stillServes();
  });

  test("DA-207: a file in the way is not removed, and said to be there", async () => {
    await relay.close();
    await writeFile(relay.socketPath, "mine");

    await assert.rejects(newRelay().start(), { code: "CONFLICT" });
  });

  test("DA-205: a message of exactly the limit is told, one byte more is cut and refused", async () => {
    const padding = 1024 - message().length - ',"x":""'.length;
    const longest = message({ x: "x".repeat(padding) });
    assert.equal(longest.length, 1024);

    await send(longest);
    await send(message({ x: "x".repeat(padding + 2), ip_address: "10.0.0.6" }).trimEnd());

    assert.deepEqual(
      reports.map((report) => report.ipAddress),
      ["10.0.0.5"],
    );
    assert.equal(warnings.length, 1);
    await stillServes();
  });

  test("a state directory too long for a socket is refused with the reason", async () => {
    const other = new LeaseRelay({ stateDir: join(stateDir, "x".repeat(100)), log: silentLogger });

    await assert.rejects(other.start(), /too long/);
  });
});

/** What kill -9 leaves: a socket that nobody answers on. */
function leaveStaleSocket(path: string): void {
  const script =
    "process.umask(0); require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  spawnSync(process.execPath, ["-e", script, path]);
}
