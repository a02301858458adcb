// What people do to bridges and devices by hand: seen by a cheap look, and repaired together with the instances' side.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { DeviceManager } from "../../../src/device-manager/device-manager.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { hasDevice, parseDevices } from "../../../src/linux/ip.ts";
import { bridgeName, namespaceDeviceName, tapName } from "../../../src/model/device-names.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";
import type { Network, NetworkView, Port, Subnet } from "../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import { createTestDirectory, randomPrefix, sh, skipWithoutRoot, type TestDirectory } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

describe("a network whose devices were damaged by hand", { skip: skipWithoutRoot }, () => {
  let prefix: string;
  let directory: TestDirectory;
  let network: Network;
  let subnet: Subnet;
  let port: Port;
  /** An instance whose tap a hypervisor has made. */
  let instance: Port;
  let manager: DeviceManager;

  const newManager = (values: { readonly areInstancesRouted?: boolean } = {}): DeviceManager =>
    new DeviceManager({
      ...{ runner: processRunner(), stateDir: directory.path, host: "h1", namespacePrefix: prefix, ...values },
    });
  const view = (): NetworkView => makeView(network, [subnet], [port, instance]);
  const setup = async (verify = false): Promise<void> =>
    void (await manager.setup(view(), port, { verify, metadata: noMetadata }));
  const members = async (): Promise<readonly string[]> =>
    parseDevices((await sh("ip", "-j", "link", "show", "master", bridgeName(network.id))).trim())
      .map((one) => one.name)
      .toSorted();
  const both = (): readonly string[] => [tapName(port.id), tapName(instance.id)].toSorted();

  beforeEach(async () => {
    prefix = randomPrefix();
    directory = await createTestDirectory();
    network = makeNetwork();
    subnet = makeSubnet(network);
    port = makeDhcpPort([subnet], ["10.20.0.2"]);
    instance = makePort([subnet], ["10.20.0.5"]);
    manager = newManager();
    await setup();
    await sh("ip", "tuntap", "add", "dev", tapName(instance.id), "mode", "tap");
    await sh("ip", "link", "set", tapName(instance.id), "master", bridgeName(network.id), "up");
  });
  afterEach(async () => {
    await sh("ip", "link", "del", tapName(instance.id)).catch(() => "");
    await manager.destroy(network.id);
    await manager.settle();
    await manager.tidy();
    await directory.remove();
  });

  const damages: Readonly<Record<string, () => Promise<unknown>>> = {
    "a bridge that was deleted": () => sh("ip", "link", "del", bridgeName(network.id)),
    "a tap that was taken out of the bridge": () => sh("ip", "link", "set", tapName(port.id), "nomaster"),
    "a device that was deleted in the namespace": () =>
      sh("ip", "-n", `${prefix}qdhcp-${network.id}`, "link", "del", namespaceDeviceName(port.id)),
    "a tap that was deleted": () => sh("ip", "link", "del", tapName(port.id)),
    "a namespace that was deleted": () => sh("ip", "netns", "del", `${prefix}qdhcp-${network.id}`),
    "a bridge and a device that were both deleted": async () => {
      await sh("ip", "link", "del", bridgeName(network.id));
      await sh("ip", "link", "del", tapName(port.id));
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`${what}: found once, and repaired with the instance's tap in the bridge`, async () => {
      assert.deepEqual(manager.findDamaged(), []);

      await damage();

      // A namespace's devices go some time after it.
      const found = await waitFor(() => manager.findDamaged().includes(network.id), { limitMs: 10_000, what: "the damage" });
      assert.equal(found, true);
      assert.deepEqual(manager.findDamaged(), [], "until somebody has tried to repair it");
      await setup(true);
      assert.deepEqual(await members(), both());
      assert.deepEqual(manager.findDamaged(), []);
      assert.match(await sh("ip", "-n", `${prefix}qdhcp-${network.id}`, "addr"), /10\.20\.0\.2\/24/);
    });
  }

  test("a set-up that would have believed its memory looks first", async () => {
    await sh("ip", "link", "del", bridgeName(network.id));

    await setup();

    assert.deepEqual(await members(), both());
  });

  test("a set-up by the next process repairs too", async () => {
    await sh("ip", "link", "set", tapName(port.id), "nomaster");
    manager = newManager();

    await setup();

    assert.deepEqual(await members(), both());
  });

  test("an instance that is routed, and not bridged, is left alone", async () => {
    manager = newManager({ areInstancesRouted: true });
    await setup();
    await sh("ip", "link", "del", bridgeName(network.id));

    await setup(true);

    assert.deepEqual(await members(), [tapName(port.id)]);
  });

  test("a bridge in which an instance outlives the network goes with the instance, also for the next process", async () => {
    const bridge = bridgeName(network.id);
    await manager.destroy(network.id);
    await manager.settle();
    await manager.tidy();
    assert.deepEqual(await members(), [tapName(instance.id)]);
    assert.deepEqual(await manager.list(), [], "the network itself is gone");

    manager = newManager();
    await sh("ip", "link", "del", tapName(instance.id));
    await manager.tidy();

    assert.equal(hasDevice(bridge), false);
    assert.equal(existsSync(`${directory.path}/bridges/${bridge}`), false);
  });

  test("such a bridge stays when the network has come back", async () => {
    await manager.destroy(network.id);
    await manager.settle();
    await sh("ip", "link", "del", tapName(instance.id));
    await setup();

    await manager.tidy();

    assert.deepEqual(await members(), [tapName(port.id)]);
  });
});
