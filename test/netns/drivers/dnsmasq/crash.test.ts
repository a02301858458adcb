// An agent that dies before any single change that it makes to the host leaves nothing that the next one does not put right,
// with the same dnsmasq.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Port } from "../../../../src/model/network.ts";
import { DhcpBench, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { makeDesired, makePort, makeView } from "../../../helpers/dhcp-network.ts";
import type { DhcpProbe } from "../../../helpers/dhcp-probe/probe.ts";
import type { DyingOrder, DyingReport } from "../../../helpers/dying-driver.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";

const childPath = fileURLToPath(new URL("../../../helpers/dying-driver.ts", import.meta.url));
const mostSteps = 60;

for (const mode of leaseModes)
  describe(`DA-170: an agent killed between any two steps, leases with ${mode}`, { skip: skipWithoutRoot }, () => {
    let bench: DhcpBench;
    let probe: DhcpProbe;

    beforeEach(async () => {
      bench = await DhcpBench.create({ leaseMode: mode });
      await bench.apply([]);
      probe = await bench.startProbe();
    });
    afterEach(async () => bench.close());

    const portAt = (address: string, revision = 1): Port => makePort(bench.subnets, [address], { revision });
    const addressOf = (port: Port): string | undefined => port.fixedIps[0]?.ipAddress;

    async function applyAndDie(ports: readonly Port[], dieAt: number): Promise<DyingReport | undefined> {
      const { desired, device } = makeTarget(ports);
      const child = fork(childPath, { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" });
      const { promise, resolve } = Promise.withResolvers<DyingReport | undefined>();
      child.once("message", (report: DyingReport) => resolve(report));
      const ended = new Promise<void>((done) => child.once("exit", () => done()));
      const order: DyingOrder = { stateDir: bench.stateDir, desired: { ...desired, device }, dieAt, leaseMode: mode };
      child.send(order);
      await ended;
      assert.ok(child.signalCode === "SIGKILL" || child.exitCode === 0, "the driver failed by itself");
      resolve(undefined);
      return promise;
    }

    function makeTarget(ports: readonly Port[]): Pick<DyingOrder, "desired"> & { device: DyingOrder["desired"]["device"] } {
      const desired = makeDesired(makeView(bench.network, bench.subnets, [bench.dhcpPort, ...ports]), bench.dhcpPort);
      return { desired, device: { ...desired.device, namespace: bench.namespace } };
    }

    /** Dies at step 1, 2, … of the way from `before` to `after`; each time the next agent has to get there. */
    async function dieEverywhere(
      before: () => readonly Port[],
      after: (before: readonly Port[]) => readonly Port[],
    ): Promise<number> {
      const pid = await bench.pid();
      for (let dieAt = 1; dieAt <= mostSteps; dieAt += 1) {
        const old = before();
        const wanted = after(old);
        bench.driver = bench.newDriver();
        await bench.apply(old.slice(0, -1));
        await bench.apply(old);
        for (const port of old) await probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });

        const report = await applyAndDie(wanted, dieAt);
        bench.driver = bench.newDriver();
        await bench.apply(wanted);

        const gone = old.filter((port) => !wanted.some((other) => other.id === port.id));
        const answers = await Promise.all([
          ...wanted.map(async (port) => probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 })),
          ...gone.map(async (port) => probe.ask(port.macAddress, { want: "offer", timeoutMs: 250, everyMs: 60 })),
        ]);
        assert.deepEqual(
          answers.map((answer) => answer.address),
          [...wanted.map(addressOf), ...gone.map(() => undefined)],
          `killed at step ${dieAt}`,
        );
        const leases = await readFile(bench.file("leases"), "utf8");
        for (const port of gone) assert.equal(leases.includes(port.macAddress), false, `lease left, killed at step ${dieAt}`);
        assert.equal(await bench.pid(), pid, `restarted, killed at step ${dieAt}`);
        if (report !== undefined) return report.steps.length;
      }
      throw new Error(`more than ${mostSteps} steps`);
    }

    test("of a reload that gives an address to another port: repaired", async () => {
      const steps = await dieEverywhere(
        () => [portAt("10.20.0.5"), portAt("10.20.0.6"), portAt("10.20.0.7")],
        ([, ...kept]) => [...kept, portAt("10.20.0.5", 2)],
      );

      assert.ok(steps > 10, `${steps} steps`);
    });

    test("of a change by small files: repaired", async () => {
      const steps = await dieEverywhere(
        () => [portAt("10.20.0.15"), portAt("10.20.0.16")],
        ([, kept]) => [...(kept === undefined ? [] : [kept]), portAt("10.20.0.17")],
      );

      assert.ok(steps > 2, `${steps} steps`);
    });
  });
