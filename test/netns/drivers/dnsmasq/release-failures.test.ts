// Leases of clients that lost their address, when what takes them away fails, dies or is slow.
import assert from "node:assert/strict";
import { readFile, truncate } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import { type CommandRunner, processRunner } from "../../../../src/linux/command-runner.ts";
import { isAlive, readProcess, sendSignal } from "../../../../src/linux/process-table.ts";
import type { Port } from "../../../../src/model/network.ts";
import type { LeaseControl } from "../../../../src/drivers/lease-control.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

describe("the release of leases where a helper fails", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;
  const leases = async (): Promise<string> => readFile(bench.file("leases"), "utf8");
  const lease = async (mac: string): Promise<void> => {
    const probe = await bench.startProbe();
    assert.equal((await probe.ask(mac, { want: "lease", timeoutMs: 10_000, everyMs: 100 })).answer, "ack");
  };

  /** Two ports, of which the one that will go has leased its address. @returns the other; what is run from now on counts */
  const begin = async (options: Parameters<typeof DhcpBench.create>[0]): Promise<Port> => {
    bench = await DhcpBench.create(options);
    const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([gone, kept]);
    await lease(gone.macAddress);
    bench.children.length = 0;
    return kept;
  };

  /** The server stands still for so long when packets are about to take leases away. */
  const stoppingRunner = (stillMs: number, meanwhile: () => Promise<void> = async () => {}): CommandRunner => {
    const inner = processRunner();
    return {
      run: async (argv, options) => {
        const server = argv.includes("perl") ? readProcess(await bench.pid()) : undefined;
        if (server !== undefined) {
          sendSignal(server, "SIGSTOP");
          await meanwhile();
          setTimeout(() => sendSignal(server, "SIGCONT"), stillMs);
        }
        return inner.run(argv, options);
      },
    };
  };

  afterEach(async () => bench.close());

  test("a runner that finds no perl says so, and nothing is lost", async () => {
    const inner = processRunner();
    let isPerlThere = false;
    const runner: typeof inner = {
      run: async (argv, options) => {
        if (argv.includes("perl") && !isPerlThere) throw new Error("perl is not installed");
        return inner.run(argv, options);
      },
    };
    bench = await DhcpBench.create({ runner });
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await lease(port.macAddress);

    await assert.rejects(bench.apply([]), /perl/);
    isPerlThere = true;
    await bench.apply([]);

    assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
  });

  test("a server that dies while leases are released is followed by the next one, and nobody waits for it to obey", async () => {
    const leaseControl = (): LeaseControl => ({
      access: () => undefined,
      deleteLease: async () => {
        const server = readProcess(await bench.pid());
        if (server !== undefined) sendSignal(server, "SIGKILL");
        await waitFor(() => server === undefined || !isAlive(server), { limitMs: 10_000, what: "the end of dnsmasq" });
        return undefined;
      },
    });
    const kept = await begin({ leaseControl });
    const pid = await bench.pid();

    assert.equal(await bench.apply([kept]), "restarted");

    assert.notEqual(await bench.pid(), pid);
    assert.deepEqual(
      bench.children.filter((argv) => argv.includes("perl")),
      [],
    );
    assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
    await lease(kept.macAddress);
  });

  test("a server that takes its time is waited for, and neither asked twice nor restarted", async () => {
    const kept = await begin({ runner: stoppingRunner(1600) });
    const pid = await bench.pid();

    assert.equal(await bench.apply([kept]), "changed");

    assert.equal(bench.children.filter((argv) => argv.includes("perl")).length, 1);
    assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
    assert.equal(await bench.pid(), pid);
  });

  test("a lease file that is being written is not taken for one without leases", async () => {
    // As dnsmasq leaves it between emptying it and writing it anew.
    const empty = (): Promise<void> => truncate(bench.file("leases"));
    const kept = await begin({ runner: stoppingRunner(300, empty) });
    await lease(kept.macAddress);

    assert.equal(await bench.apply([kept]), "changed");

    assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
    assert.match(await leases(), /10\.20\.0\.6 /);
  });

  for (const answer of [true, false])
    test(`DA-162: a bus that says ${answer} while the lease stays in the file is not believed`, async () => {
      const asked: string[] = [];
      const leaseControl = (): LeaseControl => ({
        access: () => undefined,
        deleteLease: async (_id, ipAddress) => {
          asked.push(ipAddress);
          return answer;
        },
      });
      const kept = await begin({ leaseControl });
      await lease(kept.macAddress);
      const pid = await bench.pid();

      assert.equal(await bench.apply([kept]), "changed");

      assert.deepEqual([...new Set(asked)], ["10.20.0.5"]);
      assert.doesNotMatch(await leases(), /10\.20\.0\.5 /);
      assert.match(await leases(), /10\.20\.0\.6 /);
      assert.equal(await bench.pid(), pid, "a packet was enough");
    });
});
