// What people and accidents do to a network that is being served: the next look repairs it.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import type { DhcpOutcome } from "../../../../src/drivers/dhcp-driver.ts";
import { isAlive, lookAtProcess, readNetworkNamespaceInode, readProcess } from "../../../../src/linux/process-table.ts";
import { readWaitPlace } from "../../../../src/linux/process-load.ts";
import { namespaceInode } from "../../../../src/linux/netns.ts";
import type { Port } from "../../../../src/model/network.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

describe("a damaged network", { skip: skipWithoutRoot }, () => {
  const benches: DhcpBench[] = [];
  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.close();
  });
  const served = async (): Promise<{ readonly bench: DhcpBench; readonly ports: readonly [Port, Port] }> => {
    const bench = await DhcpBench.create();
    benches.push(bench);
    const ports = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])] as const;
    await bench.apply(ports.slice(0, 1));
    return { bench, ports };
  };
  /** As the agent does: again until it succeeds. */
  const insist = (bench: DhcpBench, ports: readonly Port[]): Promise<DhcpOutcome> =>
    waitFor(() => bench.apply(ports), { limitMs: 10_000, what: "an apply that succeeds" });

  test("whose namespace was deleted by hand gets a server in the new one", async () => {
    const { bench, ports } = await served();
    const old = readProcess(await bench.pid());
    await sh("ip", "netns", "del", bench.namespace);

    await insist(bench, ports);

    assert.ok(old !== undefined && !isAlive(old));
    assert.equal(readNetworkNamespaceInode(await bench.pid()), namespaceInode(bench.namespace));
    const probe = await bench.startProbe();
    for (const port of ports) {
      const { answer } = await probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });
      assert.equal(answer, "ack");
    }
  });

  test("whose server was stopped by a signal gets another", async () => {
    const { bench, ports } = await served();
    const stopped = readProcess(await bench.pid());
    assert.ok(stopped !== undefined);
    await waitFor(() => lookAtProcess(stopped.pid)?.state === "S", { limitMs: 10_000, what: "the server to rest" });
    assert.match(readWaitPlace(stopped.pid), /^$|poll/, "where no resting server is taken for one that hangs");
    process.kill(stopped.pid, "SIGSTOP");

    const found = async (): Promise<boolean> => (await bench.driver.findDead()).includes(bench.network.id);
    await waitFor(found, { limitMs: 10_000, what: "the hanging server to be found" });
    assert.equal(await bench.apply(ports), "started");

    assert.equal(isAlive(stopped), false);
    const probe = await bench.startProbe();
    for (const port of ports) {
      const { answer } = await probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });
      assert.equal(answer, "ack");
    }
  });

  test("whose server was stopped is removed as any other, without a kill", async () => {
    const { bench } = await served();
    const stopped = readProcess(await bench.pid());
    assert.ok(stopped !== undefined);
    process.kill(stopped.pid, "SIGSTOP");

    await bench.driver.remove(bench.network.id);

    assert.equal(isAlive(stopped), false);
  });

  for (const directory of ["host.d", "dns.d"]) {
    test(`whose directory ${directory} was removed gets it back, and a server that watches it`, async () => {
      const { bench, ports } = await served();
      const probe = await bench.startProbe();
      await rm(bench.file(directory), { recursive: true });

      await insist(bench, ports);

      const third = makePort(bench.subnets, ["10.20.0.7"]);
      await insist(bench, [...ports, third]);
      for (const port of [...ports, third]) {
        const { answer } = await probe.ask(port.macAddress, { want: "lease", timeoutMs: 10_000, everyMs: 100 });
        assert.equal(answer, "ack");
      }
    });
  }
});
