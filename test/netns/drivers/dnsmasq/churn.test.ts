// Ports that come, go, move and swap at random, with addresses that are used again at once. After each reconcile every client
// must get what the model says and nothing else.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { DhcpOutcome } from "../../../../src/drivers/dhcp-driver.ts";
import type { Port } from "../../../../src/model/network.ts";
import { DhcpBench, leaseModes } from "../../../helpers/dhcp-bench.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import type { DhcpProbe } from "../../../helpers/dhcp-probe/probe.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { createRandom, testSeed } from "../../../helpers/random.ts";

/** Of each way to take leases away. */
const rounds = 50;
/** Few, so that they are used again all the time. */
const addresses = Array.from({ length: 24 }, (_, index) => `10.20.0.${10 + index}`);

for (const mode of leaseModes)
  describe(`a network whose ports come and go at random, leases with ${mode}`, { skip: skipWithoutRoot }, () => {
    const seed = testSeed();
    const random = createRandom(seed);
    let bench: DhcpBench;
    let probe: DhcpProbe;
    let ports: readonly Port[] = [];
    let revision = 1;

    before(async () => {
      bench = await DhcpBench.create({ leaseMode: mode });
      await bench.apply([]);
      probe = await bench.startProbe();
    });
    after(async () => bench.close());

    const addressOf = (port: Port): string => port.fixedIps[0]?.ipAddress ?? "";
    const freeAddresses = (): readonly string[] => addresses.filter((one) => !ports.some((port) => addressOf(port) === one));
    const movedTo = (port: Port, address: string): Port => {
      revision += 1;
      return { ...port, fixedIps: makePort(bench.subnets, [address]).fixedIps, revision };
    };
    const replace = (...changed: readonly Port[]): void => {
      ports = ports.map((port) => changed.find((one) => one.id === port.id) ?? port);
    };

    const changes = {
      add: () => {
        const free = freeAddresses();
        if (free.length > 0) ports = [...ports, makePort(bench.subnets, [random.pick(free)], { revision: (revision += 1) })];
      },
      remove: () => {
        const index = random.below(ports.length + 1);
        ports = ports.filter((_, at) => at !== index);
      },
      move: () => {
        const free = freeAddresses();
        if (ports.length > 0 && free.length > 0) replace(movedTo(random.pick(ports), random.pick(free)));
      },
      swap: () => {
        if (ports.length < 2) return;
        const [one, other] = [random.pick(ports), random.pick(ports)];
        if (one.id !== other.id) replace(movedTo(one, addressOf(other)), movedTo(other, addressOf(one)));
      },
      /** One goes and another has its address in the same breath. */
      inherit: () => {
        if (ports.length === 0) return;
        const old = random.pick(ports);
        ports = [
          ...ports.filter((port) => port.id !== old.id),
          makePort(bench.subnets, [addressOf(old)], { revision: (revision += 1) }),
        ];
      },
    };

    async function reconcile(): Promise<DhcpOutcome> {
      // As the agent's queue does it.
      for (let waitMs = bench.driver.nextApplyDelayMs(bench.network.id); waitMs > 0; ) {
        await delay(waitMs);
        waitMs = bench.driver.nextApplyDelayMs(bench.network.id);
      }
      return bench.apply(ports);
    }

    test(`DA-168, DA-169: never answers wrongly and leaves nobody without an answer (seed ${seed})`, async (context) => {
      context.diagnostic(`NETLOOM_TEST_SEED=${seed}`);
      const pid = await bench.pid();
      const outcomes = new Map<DhcpOutcome, number>();
      for (let round = 0; round < rounds; round += 1) {
        const earlier = ports;
        const made: string[] = [];
        for (let count = 1 + random.below(4); count > 0; count -= 1) {
          const kind = random.pick(["add", "add", "add", "remove", "move", "swap", "inherit"] as const);
          changes[kind]();
          made.push(kind);
        }
        if (random.next() < 0.1) bench.driver = bench.newDriver();

        const outcome = await reconcile();

        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        const gone = earlier.filter((port) => !ports.some((one) => one.id === port.id));
        const answers = await Promise.all([
          ...ports.map(async (port) => probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 150 })),
          ...gone.map(async (port) => probe.ask(port.macAddress, { want: "offer", timeoutMs: 150, everyMs: 60 })),
        ]);
        assert.deepEqual(
          answers.map((answer) => answer.address),
          [...ports.map(addressOf), ...gone.map(() => undefined)],
          `seed ${seed}, round ${round}: ${made.join(", ")} was ${outcome}`,
        );
      }
      context.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
      assert.equal(await bench.pid(), pid, "dnsmasq was restarted");
      const leases = await readFile(bench.file("leases"), "utf8");
      assert.deepEqual(
        leases
          .split("\n")
          .flatMap((line) => line.split(" ")[2] ?? [])
          .toSorted(),
        ports.map(addressOf).toSorted(),
      );
    });
  });
