import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { loadDhcpAgentConfig } from "../../../src/config/dhcp-agent-config.ts";
import type { HostTools } from "../../../src/device-manager/host-tools.ts";
import type { InterfaceDriverSettings } from "../../../src/device-manager/interface-driver.ts";
import { chooseInterfaceDriver, createInterfaceDriver } from "../../../src/device-manager/interface-drivers.ts";
import { IpBatcher } from "../../../src/linux/ip-batcher.ts";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";

const program = fileURLToPath(new URL("../../../bin/netloom", import.meta.url));

function run(argv: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(program, argv, { timeout: 20_000 }, (error, _stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stderr }),
    );
  });
}

const runner: CommandRunner = { run: async () => assert.fail("a child was started") };
const tools: HostTools = { runner, removals: new IpBatcher(runner), worker: { run: async () => [] } };

describe("the choice of the interface driver", () => {
  test("DA-003: an unknown interface driver ends the process with a message that says which there are", async () => {
    const { code, stderr } = await run(["dhcp-agent", "--interface-driver", "neutron.agent.linux.interface.Nonsense"]);

    assert.notEqual(code, 0);
    assert.match(stderr, /interface_driver \(--interface-driver\).*bridge.*openvswitch/s);
  });

  test("DA-003: an unknown one is refused wherever its name comes from", () => {
    // The cast: as it may stand in a file of another version.
    const unknown = { kind: "macvlan" } as unknown as InterfaceDriverSettings;

    assert.throws(() => createInterfaceDriver(tools, unknown), {
      code: "INVALID",
      message: /unknown interface driver "macvlan"/,
    });
  });

  test("is Linux bridges when nothing is said", async () => {
    const settings = chooseInterfaceDriver(await loadDhcpAgentConfig([], {}));

    assert.deepEqual(settings, { kind: "bridge" });
    assert.deepEqual(createInterfaceDriver(tools, settings).settings, settings);
  });

  test("is Open vSwitch with the bridge and the database of the configuration", async () => {
    const argv = ["--interface-driver=openvswitch", "--ovs-bridge=br-test", "--ovs-database=unix:/run/x/db.sock"];

    const settings = chooseInterfaceDriver(await loadDhcpAgentConfig(argv, {}));

    assert.deepEqual(settings, { kind: "openvswitch", bridge: "br-test", database: "unix:/run/x/db.sock" });
    assert.deepEqual(createInterfaceDriver(tools, settings).settings, settings);
  });

  for (const flag of ["--ovs-bridge=a b", "--ovs-database=--db", "--ovs-database=unix:relative.sock"]) {
    test(`refuses ${flag}`, async () => {
      await assert.rejects(loadDhcpAgentConfig([flag], {}), { code: "INVALID" });
    });
  }
});
