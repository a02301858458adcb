// The program that dnsmasq runs at each lease event, as dnsmasq runs it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { leaseScriptPath } from "../../../src/lease-relay/lease-relay.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const network = "0b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11";

describe("the lease script", () => {
  let directory: string;
  let socketPath: string;
  let server: Server;
  let lines: string[];

  /** @returns exit code and what it wrote, which should be nothing: dnsmasq would log it */
  const run = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<readonly [number | null, string]> => {
    const child = spawn(leaseScriptPath, args, {
      env: { PATH: process.env["PATH"], NETLOOM_NETWORK_ID: network, NETLOOM_LEASE_SOCKET: socketPath, ...env },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    return new Promise((resolve) => child.once("close", (code) => resolve([code, output])));
  };
  const told = async (count: number): Promise<unknown> =>
    waitFor(() => lines.length === count && lines.map((line) => JSON.parse(line) as unknown), {
      limitMs: 10_000,
      what: `${count} messages`,
    });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-script-"));
    socketPath = join(directory, "relay");
    lines = [];
    server = createServer((socket) => socket.on("data", (chunk) => lines.push(chunk.toString())));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });

  test("DA-208: add, old and del are told, each in one line; del has nothing remaining", async () => {
    const env = { DNSMASQ_LEASE_EXPIRES: "2000000000", DNSMASQ_TIME_REMAINING: "55" };
    for (const action of ["add", "old", "del"]) {
      assert.deepEqual(await run([action, "FA:16:3E:00:00:01", "10.0.0.5", "web"], env), [0, ""]);
    }

    const common = { network_id: network, ip_address: "10.0.0.5", mac_address: "fa:16:3e:00:00:01", hostname: "web" };
    assert.deepEqual(await told(3), [
      { event: "add", ...common, lease_remaining: 55, lease_expires: 2_000_000_000 },
      { event: "old", ...common, lease_remaining: 55, lease_expires: 2_000_000_000 },
      { event: "del", ...common, lease_remaining: 0 },
    ]);
    assert.ok(lines.every((line) => line.indexOf("\n") === line.length - 1));
  });

  test("DA-208: other actions are ignored", async () => {
    for (const action of ["init", "tftp", "arp-add", "arp-del", "relay-snoop", "", "ADD", "added"]) {
      assert.deepEqual(await run([action, "fa:16:3e:00:00:01", "10.0.0.5", "web"]), [0, ""]);
    }
    await run(["add", "fa:16:3e:00:00:01", "10.0.0.9"]);

    const [only] = (await told(1)) as readonly { readonly ip_address: string }[];
    assert.equal(only?.ip_address, "10.0.0.9");
  });

  test("DA-208: without a socket, and with nobody who listens on it, it ends in silence and with success", async () => {
    assert.deepEqual(await run(["add", "fa:16:3e:00:00:01", "10.0.0.5"], { NETLOOM_LEASE_SOCKET: join(directory, "no") }), [
      0,
      "",
    ]);
    assert.deepEqual(await run(["add", "fa:16:3e:00:00:01", "10.0.0.5"], { NETLOOM_LEASE_SOCKET: undefined }), [0, ""]);
    assert.deepEqual(await run([]), [0, ""]);
  });

  test("what a client chose cannot break the message", async () => {
    await run(["add", "fa:16:3e:00:00:01", "10.0.0.5", 'x","network_id":"y']);
    await run(["add", 'ff"', "10.0.0.6", "a b"]);

    assert.deepEqual(await told(2), [
      { event: "add", network_id: network, ip_address: "10.0.0.5", lease_remaining: -1, mac_address: "fa:16:3e:00:00:01" },
      { event: "add", network_id: network, ip_address: "10.0.0.6", lease_remaining: -1 },
    ]);
  });
});
