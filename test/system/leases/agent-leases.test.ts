// What an agent tells about leases, from real files and from sources that the test drives.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { AgentLeases } from "../../../src/leases/agent-leases.ts";
import { writeFileAtomic } from "../../../src/linux/atomic-file.ts";
import { type NetworkId, networkId } from "../../../src/model/ids.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const network = networkId("0b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11");
const expires = 4_000_000_000;

class Sources {
  #hint: (id: NetworkId) => void = () => {};
  #message: (report: LeaseReport) => void = () => {};

  readonly reachable: ReadonlySet<NetworkId> = new Set([network]);

  async readTotals(): Promise<ReadonlyMap<string, number>> {
    return new Map([["dhcp_nak", 3]]);
  }
  onChange(listener: (id: NetworkId) => void): void {
    this.#hint = listener;
  }
  onLease(listener: (report: LeaseReport) => void): void {
    this.#message = listener;
  }
  async start(): Promise<void> {}
  async close(): Promise<void> {}

  hint(): void {
    this.#hint(network);
  }
  message(values: Partial<LeaseReport>): void {
    const report = { macAddress: "fa:16:3e:00:00:01", hostname: "web", expiresAtMs: expires * 1000, observedAtMs: Date.now() };
    this.#message({ event: "add", networkId: network, ipAddress: "10.0.0.5", ...report, ...values });
  }
}

const line = (
  last: number,
  values: { readonly expires?: number; readonly mac?: string; readonly name?: string } = {},
): string => `${values.expires ?? expires} ${values.mac ?? "fa:16:3e:00:00:01"} 10.0.0.${last} ${values.name ?? "web"} *\n`;

describe("AgentLeases", () => {
  let stateDir: string;
  let sources: Sources;
  let leases: AgentLeases;
  let reports: LeaseReport[];
  let batches: number;
  let errors: LogFields[];

  const start = async (pollMs: number, areLeasesFinite?: boolean): Promise<void> => {
    const log: Logger = { ...silentLogger, error: (fields) => errors.push(fields) };
    const parts = {
      stateDir,
      clock: systemClock,
      timers: systemTimers,
      log,
      hints: sources,
      messages: sources,
      areLeasesFinite,
    };
    leases = new AgentLeases({ ...parts, pollMs, batchMs: 20 });
    let isOpen = false;
    leases.onLease((report) => {
      reports.push(report);
      if (!isOpen) batches += 1;
      isOpen = true;
      queueMicrotask(() => {
        isOpen = false;
      });
    });
    await leases.start();
  };
  const write = async (...lines: readonly string[]): Promise<void> => {
    // At once: a look at the half of it would tell of leases that are gone.
    await writeFileAtomic(join(stateDir, "dhcp", network, "leases"), lines.join(""));
  };
  const told = async (...expected: readonly string[]): Promise<void> => {
    const seen = (): readonly string[] => reports.map(({ event, ipAddress }) => `${event} ${ipAddress}`);
    await waitFor(() => seen().length >= expected.length, { limitMs: 10_000, what: expected.join(", ") });
    assert.deepEqual(seen(), expected);
  };

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "netloom-leases-"));
    await mkdir(join(stateDir, "dhcp", network), { recursive: true });
    sources = new Sources();
    [reports, batches, errors] = [[], 0, []];
  });
  afterEach(async () => {
    await leases.close();
    await rm(stateDir, { recursive: true });
  });

  test("the file of a time in which nobody listened is told, what comes later is new, what goes is gone", async () => {
    await write(line(5), "duid 00:01:00:01\n", "nonsense\n", line(6, { expires: 1 }));
    await start(10);
    await told("old 10.0.0.5");

    await write(line(5), line(7));
    await told("old 10.0.0.5", "add 10.0.0.7");
    await write(line(7));
    await told("old 10.0.0.5", "add 10.0.0.7", "del 10.0.0.5");

    assert.equal(reports[0]?.expiresAtMs, expires * 1000);
    assert.equal(reports[0].macAddress, "fa:16:3e:00:00:01");
    assert.equal(reports[2]?.networkId, network);
  });

  test("a renewal, another client and another name of an address are told", async () => {
    await write(line(5));
    await start(10);
    await told("old 10.0.0.5");

    await write(line(5, { expires: expires + 600 }));
    await told("old 10.0.0.5", "old 10.0.0.5");
    await write(line(5, { expires: expires + 600, mac: "fa:16:3e:00:00:02" }));
    await told("old 10.0.0.5", "old 10.0.0.5", "old 10.0.0.5");

    assert.equal(reports[1]?.expiresAtMs, (expires + 600) * 1000);
    assert.equal(reports[2]?.macAddress, "fa:16:3e:00:00:02");
  });

  test("where leases end, one without an end is made up and not told, nor by the script; its real successor is", async () => {
    await write(line(5, { expires: 0 }), line(6));
    await start(10, true);
    sources.message({ ipAddress: "10.0.0.7", expiresAtMs: null });
    await told("old 10.0.0.6");

    await write(line(5), line(6));

    await told("old 10.0.0.6", "add 10.0.0.5");
    assert.equal((await leases.readFigures()).leases, 2);
  });

  test("where leases do not end they are told", async () => {
    await write(line(5, { expires: 0 }));
    await start(10, false);

    await told("old 10.0.0.5");
  });

  test("a hint makes it look at once", async () => {
    await start(600_000);
    await write(line(5));

    sources.hint();

    await told("old 10.0.0.5");
  });

  test("DA-209: what all sources say together is told once: script, hint and file", async () => {
    await start(10);
    // First: what a look finds before it was told is as old as the look is late.
    sources.message({});
    await write(line(5));
    sources.hint();
    await told("add 10.0.0.5");

    for (let round = 0; round < 500; round += 1) {
      sources.message({ event: "old" });
      sources.hint();
    }
    // This one last: a look at a file that does not have it yet would tell that it is gone.
    await write(line(5), line(6));
    sources.message({ ipAddress: "10.0.0.6" });

    await told("add 10.0.0.5", "add 10.0.0.6");
  });

  test("DA-209: 500 leases are told in one go, and a look without a change tells nothing", async () => {
    await write(...Array.from({ length: 500 }, (_, index) => line(0).replace("10.0.0.0", `10.0.${index >> 8}.${index & 255}`)));
    await start(10);
    await waitFor(() => reports.length === 500, { limitMs: 10_000, what: "500 reports" });

    for (let round = 0; round < 500; round += 1) sources.hint();
    sources.message({ ipAddress: "10.9.9.9" });
    await waitFor(() => reports.some((one) => one.ipAddress === "10.9.9.9"), { limitMs: 10_000, what: "a later report" });

    assert.equal(reports.filter((one) => one.ipAddress !== "10.9.9.9").length, 500);
    assert.ok(batches <= 3, `${batches} batches`);
  });

  test("a lease that came and went within one batch is told as gone only", async () => {
    await start(600_000);
    sources.message({});
    sources.message({ event: "del" });

    await told("del 10.0.0.5");
  });

  test("a source that does not know the MAC or the name of a client takes nothing back", async () => {
    await start(600_000);
    sources.message({});
    sources.message({ macAddress: null, hostname: null });
    sources.message({ ipAddress: "10.0.0.6" });

    await told("add 10.0.0.5", "add 10.0.0.6");
    assert.equal(reports[0]?.macAddress, "fa:16:3e:00:00:01");
  });

  test("a network that is not served here any more is forgotten, not told as gone", async () => {
    const other = networkId("1b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11");
    await mkdir(join(stateDir, "dhcp", other));
    await write(line(5));
    await start(10);
    await told("old 10.0.0.5");

    await rm(join(stateDir, "dhcp", network), { recursive: true });
    // Two looks at the other one's file: in between the loss was seen.
    for (const last of [8, 9]) {
      await writeFileAtomic(join(stateDir, "dhcp", other, "leases"), line(last));
      await waitFor(() => reports.some((one) => one.ipAddress === `10.0.0.${last}`), { limitMs: 10_000, what: "another look" });
    }
    await mkdir(join(stateDir, "dhcp", network));
    await write(line(5));

    await told("old 10.0.0.5", "old 10.0.0.8", "add 10.0.0.9", "del 10.0.0.8", "old 10.0.0.5");
  });

  test("DA-206: a listener that throws is logged, and the others hear", async () => {
    await start(600_000);
    leases.onLease(() => {
      throw new Error("listener");
    });
    sources.message({});
    sources.message({ ipAddress: "10.0.0.6" });

    await waitFor(() => errors.length === 2, { limitMs: 10_000, what: "two lines in the log" });
    assert.equal(reports.length, 2);
    assert.equal(errors[0]?.["networkId"], network);
  });

  test("figures: leases, servers that give hints, and their counters", async () => {
    await start(600_000);
    sources.message({});
    sources.message({ ipAddress: "10.0.0.6" });
    sources.message({ event: "del" });

    assert.deepEqual(await leases.readFigures(), { leases: 1, serversOnBus: 1, counters: new Map([["dhcp_nak", 3]]) });
  });

  test("what waits at the end is told", async () => {
    await start(600_000);
    sources.message({});

    await leases.close();

    assert.equal(reports.length, 1);
  });
});
