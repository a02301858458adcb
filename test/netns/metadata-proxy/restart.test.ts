import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { firstOutput } from "../../helpers/children.ts";
import { makePort } from "../../helpers/dhcp-network.ts";
import { ask, MetadataBench } from "../../helpers/metadata-bench.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";

const program = fileURLToPath(new URL("../../helpers/metadata-child.ts", import.meta.url));

for (const sockets of ["setns", "child"] as const) {
  describe(`a killed agent's metadata, sockets by ${sockets}`, { skip: skipWithoutRoot }, () => {
    const bench = new MetadataBench();
    const port = makePort(bench.subnets, ["10.20.0.9"], { deviceId: "instance-9" });
    const running: ChildProcess[] = [];
    let guest: string;

    before(async () => {
      await bench.setup({ v4: true, v6: false, routedSubnetIds: new Set() });
      guest = await bench.plug(port);
    });
    afterEach(() => {
      for (const child of running.splice(0)) child.kill("SIGKILL");
    });
    after(async () => bench.close());

    /** Resolves when it serves. */
    const start = async (deviceId: string): Promise<ChildProcess> => {
      const view = bench.view([{ ...port, deviceId }]);
      const device = await bench.setup({ v4: true, v6: false, routedSubnetIds: new Set() });
      const task = JSON.stringify({ view, dhcpPort: bench.dhcpPort, device, sockets });
      const child = spawn(process.execPath, [program, task], { stdio: ["ignore", "pipe", "inherit"] });
      running.push(child);
      await firstOutput(child, /ready/);
      return child;
    };

    test("DA-088, DA-089: leave nothing behind, and are back with the next process", async () => {
      const first = await start("before");
      assert.equal(String((await ask(guest, "/latest/meta-data/instance-id")).body), "before");

      first.kill("SIGKILL");
      await once(first, "close");
      const left = await sh("nsenter", `--net=/run/netns/${bench.namespace}`, "ss", "-Hltn", "sport = :80");
      const second = await start("after");

      assert.equal(left, "");
      assert.notEqual(second.pid, first.pid);
      assert.equal(String((await ask(guest, "/latest/meta-data/instance-id")).body), "after");
    });
  });
}
