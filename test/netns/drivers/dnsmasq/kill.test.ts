// A driver that is killed at any moment leaves nothing that the next one cannot put right without restarting dnsmasq.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { DhcpBench, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { makeDesired, makePort, makeView } from "../../../helpers/dhcp-network.ts";
import type { DhcpProbe } from "../../../helpers/dhcp-probe/probe.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { createRandom, testSeed } from "../../../helpers/random.ts";

const childPath = fileURLToPath(new URL("../../../helpers/churn-child.ts", import.meta.url));
const rounds = 8;

for (const mode of leaseModes)
  describe(`a driver that is killed while ports come and go, leases with ${mode}`, { skip: skipWithoutRoot }, () => {
    const seed = testSeed();
    const random = createRandom(seed);
    let bench: DhcpBench;
    let probe: DhcpProbe;

    before(async () => {
      bench = await DhcpBench.create({ leaseMode: mode });
      await bench.apply([]);
      probe = await bench.startProbe();
    });
    after(async () => bench.close());

    test(`is repaired by the next one (seed ${seed})`, async (context) => {
      context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
      const ports = Array.from({ length: 12 }, (_, index) => makePort(bench.subnets, [`10.20.0.${10 + index}`]));
      const pid = await bench.pid();

      for (let round = 0; round < rounds; round += 1) {
        await killInTheMiddle(ports);
        const wanted = ports.filter(() => random.next() < 0.5);
        bench.driver = bench.newDriver();
        await bench.apply(wanted);

        const answers = await Promise.all(
          ports.map(async (port) =>
            probe.ask(port.macAddress, { want: "offer", timeoutMs: wanted.includes(port) ? 10_000 : 300, everyMs: 100 }),
          ),
        );
        assert.deepEqual(
          answers.map((answer) => answer.address),
          ports.map((port) => (wanted.includes(port) ? port.fixedIps[0]?.ipAddress : undefined)),
          `round ${round}`,
        );
        assert.equal(await bench.pid(), pid, `round ${round}: dnsmasq was restarted`);
      }
    });

    async function killInTheMiddle(ports: Parameters<typeof makeView>[2]): Promise<void> {
      const desired = makeDesired(makeView(bench.network, bench.subnets, [bench.dhcpPort, ...ports]), bench.dhcpPort);
      const device = { ...desired.device, namespace: bench.namespace };
      // "advanced": JSON would lose the sets.
      const child = fork(childPath, { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.send({ stateDir: bench.stateDir, desired: { ...desired, device }, seed: random.below(2 ** 31), leaseMode: mode });
      await Promise.race([new Promise((resolve) => child.once("message", resolve)), ended]);
      assert.equal(child.exitCode, null, "the driver ended by itself");
      // Not a wait for anything: the moment of the kill is what is random here.
      await delay(random.next() * 40);
      child.kill("SIGKILL");
      await ended;
    }
  });
