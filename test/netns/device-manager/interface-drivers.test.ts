// One suite for every interface driver: what the device manager may rely on.
import assert from "node:assert/strict";
import { afterEach, before, beforeEach, after, describe, test } from "node:test";
import type { InterfaceDriver, InterfacePort } from "../../../src/device-manager/interface-driver.ts";
import { DeviceManager } from "../../../src/device-manager/device-manager.ts";
import type { HostTools } from "../../../src/device-manager/host-tools.ts";
import { createInterfaceDriver } from "../../../src/device-manager/interface-drivers.ts";
import { IpBatcher } from "../../../src/linux/ip-batcher.ts";
import { hasDevice, parseDevices } from "../../../src/linux/ip.ts";
import { NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import { isNamespace } from "../../../src/linux/netns.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { bridgeName } from "../../../src/model/device-names.ts";
import { networkId, portId } from "../../../src/model/ids.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomId,
  randomMac,
  randomPrefix,
  sh,
  skipWithoutRoot,
} from "../../helpers/namespaces.ts";
import { OpenVswitch, skipWithoutOpenVswitch } from "../../helpers/open-vswitch.ts";

interface Host {
  readonly driver: InterfaceDriver;
  readonly members: (bridge: string) => Promise<readonly string[]>;
  /** Takes a device out of the switch, behind the driver's back. */
  readonly detach: (tap: string) => Promise<void>;
  /** Joins a device of somebody else. */
  readonly attach: (bridge: string, tap: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

function newTools(): HostTools {
  const runner = processRunner();
  return { runner, worker: new NamespaceWorker(), removals: new IpBatcher(runner) };
}

async function bridgeHost(): Promise<Host> {
  const members = async (bridge: string): Promise<readonly string[]> =>
    parseDevices((await sh("ip", "-j", "link", "show", "master", bridge)).trim()).map((one) => one.name);
  return {
    driver: createInterfaceDriver(newTools(), { kind: "bridge" }),
    members: async (bridge) => (hasDevice(bridge) ? members(bridge) : []),
    detach: async (tap) => void (await sh("ip", "link", "set", tap, "nomaster")),
    attach: async (bridge, tap) => void (await sh("ip", "link", "set", tap, "master", bridge, "up")),
    close: async () => {},
  };
}

async function ovsHost(): Promise<Host> {
  const ovs = await OpenVswitch.start(`${randomPrefix()}br`);
  const { bridge, database } = ovs;
  return {
    driver: createInterfaceDriver(newTools(), { kind: "openvswitch", bridge, database }),
    members: () => ovs.ports(),
    detach: async (tap) => void (await ovs.vsctl("del-port", tap)),
    attach: async (_bridge, tap) => {
      await sh("ip", "link", "set", tap, "up");
      await ovs.vsctl("add-port", bridge, tap);
    },
    close: () => ovs.close(),
  };
}

const suites = [
  { name: "bridge", skip: skipWithoutRoot, start: bridgeHost },
  { name: "openvswitch", skip: skipWithoutOpenVswitch(), start: ovsHost },
] as const;

for (const suite of suites) {
  describe(`interface driver ${suite.name}`, { skip: suite.skip }, () => {
    const prefix = randomPrefix();
    let host: Host;
    let port: InterfacePort;
    const guests: string[] = [];

    const makePort = (): InterfacePort => {
      const network = networkId(randomId());
      const id = portId(randomId());
      const names = {
        namespace: `${prefix}${network.slice(0, 8)}`,
        tap: `tap${id.slice(0, 11)}`,
        device: `ns-${id.slice(0, 11)}`,
      };
      const bridge = host.driver.bridgeOf(network);
      return { networkId: network, portId: id, bridge, ...names, macAddress: randomMac(), mtuBytes: 1442 };
    };
    const remove = async (one: InterfacePort): Promise<void> => {
      await host.driver.unplug({ bridge: one.bridge, taps: [one.tap] });
      await deleteNamespace(one.namespace);
    };
    const tapState = async (): Promise<Record<string, unknown>> =>
      JSON.parse(await sh("ip", "-j", "link", "show", port.tap))[0];

    before(async () => {
      host = await suite.start();
    });
    after(async () => host?.close());
    beforeEach(() => {
      port = makePort();
    });
    afterEach(async () => {
      for (const guest of guests.splice(0)) await sh("ip", "link", "del", guest).catch(() => "");
      await remove(port);
    });

    test("plug makes the namespace, and a pair that is joined outside and down inside", async () => {
      await host.driver.plug(port);

      const [inner] = JSON.parse(await sh("ip", "-j", "-n", port.namespace, "link", "show", port.device));
      assert.equal(inner.address, port.macAddress);
      assert.equal(inner.mtu, 1442);
      assert.equal(inner.flags.includes("UP"), false);
      assert.equal((await tapState())["mtu"], 1442);
      assert.ok((await host.members(port.bridge)).includes(port.tap));
      assert.equal(await host.driver.look(port), "fits");
    });

    test("plug again makes a new pair in place of the old one", async () => {
      await host.driver.plug(port);
      const before = (await tapState())["ifindex"];

      await host.driver.plug(port);

      assert.notEqual((await tapState())["ifindex"], before);
      assert.equal(await host.driver.look(port), "fits");
    });

    test("DA-197: a plain file in place of the namespace is replaced", async () => {
      await sh("mkdir", "-p", "/run/netns");
      await sh("touch", `/run/netns/${port.namespace}`);

      await host.driver.plug(port);

      assert.equal(isNamespace(port.namespace), true);
      assert.equal(await host.driver.look(port), "fits");
    });

    test("look tells what is there, and update repairs it without making the pair anew", async () => {
      assert.equal(await host.driver.look(port), "absent");
      await host.driver.plug(port);
      const index = (await tapState())["ifindex"];

      await host.detach(port.tap);
      assert.equal(await host.driver.look(port), "differs");
      await host.driver.update(port);
      assert.equal(await host.driver.look(port), "fits");

      await sh("ip", "link", "set", port.tap, "down");
      assert.equal(await host.driver.look(port), "differs");
      await host.driver.update(port);
      assert.equal(await host.driver.look(port), "fits");
      assert.equal((await tapState())["ifindex"], index);
    });

    test("DA-196: update brings another MTU to the device that is there", async () => {
      await host.driver.plug(port);
      const other = { ...port, mtuBytes: 1300 };
      assert.equal(await host.driver.look(other), "differs");

      await host.driver.update(other);

      assert.equal((await tapState())["mtu"], 1300);
      assert.equal(await host.driver.look(other), "fits");
    });

    test("isPlugged sees that the tap is gone or its switch", async () => {
      await host.driver.plug(port);
      assert.equal(host.driver.isPlugged(port), true);

      if (suite.name === "bridge") {
        await host.detach(port.tap);
        assert.equal(host.driver.isPlugged(port), false);
        await host.driver.update(port);
        assert.equal(host.driver.isPlugged(port), true);
        await sh("ip", "link", "del", port.bridge);
        assert.equal(host.driver.isPlugged(port), false);
        await host.driver.update(port);
      }
      await sh("ip", "-n", port.namespace, "link", "del", port.device);

      assert.equal(host.driver.isPlugged(port), false);
    });

    test("unplug removes the tap and what the switch knew of it; a second time is fine", async () => {
      await host.driver.plug(port);

      await host.driver.unplug({ bridge: port.bridge, taps: [port.tap] });
      await host.driver.unplug({ bridge: port.bridge, taps: [port.tap] });

      assert.equal(hasDevice(port.tap), false);
      assert.deepEqual(await host.members(port.bridge), []);
      assert.equal(await host.driver.look(port), "absent");
    });

    test("unplug after the namespace is gone waits for the kernel", async () => {
      await host.driver.plug(port);
      await sh("ip", "netns", "del", port.namespace);

      await host.driver.unplug({ bridge: port.bridge, taps: [port.tap], areVanishing: true });

      assert.equal(hasDevice(port.tap), false);
      assert.deepEqual(await host.members(port.bridge), []);
    });

    test("unplug leaves a switch in which somebody else is", async () => {
      await host.driver.plug(port);
      const guest = `${prefix}g`;
      guests.push(guest);
      await sh("ip", "link", "add", guest, "type", "veth", "peer", "name", `${prefix}h`);
      await host.attach(port.bridge, guest);

      await host.driver.unplug({ bridge: port.bridge, taps: [port.tap] });

      assert.deepEqual(await host.members(port.bridge), [guest]);
      await host.driver.unplug({ bridge: port.bridge, taps: [guest] });
    });

    test("many networks at once", async () => {
      const ports = Array.from({ length: 8 }, makePort);
      try {
        await Promise.all(ports.map((one) => host.driver.plug(one)));

        assert.deepEqual(
          await Promise.all(ports.map((one) => host.driver.look(one))),
          ports.map(() => "fits"),
        );
      } finally {
        await Promise.all(ports.map(remove));
      }
      assert.deepEqual(
        ports.map((one) => hasDevice(one.tap)),
        ports.map(() => false),
      );
    });

    test("an instance on the same switch reaches the DHCP port that the device manager made", async () => {
      const directory = await createTestDirectory();
      const network = makeNetwork();
      const subnet = makeSubnet(network);
      const dhcpPort = makeDhcpPort([subnet], ["10.20.0.2"]);
      const runner = processRunner();
      const settings = { runner, stateDir: directory.path, host: "h1", namespacePrefix: prefix };
      const manager = new DeviceManager({ ...settings, interfaceDriver: host.driver.settings });
      const instance = await createNamespace(`${prefix}i`);
      try {
        await manager.setup(makeView(network, [subnet], [dhcpPort]), dhcpPort, { verify: false, metadata: noMetadata });
        const tap = `${prefix}i`;
        guests.push(tap);
        await sh("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", instance);
        await host.attach(host.driver.bridgeOf(network.id), tap);
        await sh("ip", "-n", instance, "link", "set", "eth0", "up");
        await sh("ip", "-n", instance, "addr", "add", "10.20.0.77/24", "dev", "eth0");

        assert.match(
          await sh("nsenter", `--net=/run/netns/${instance}`, "ping", "-c", "1", "-w", "5", "10.20.0.2"),
          /1 received/,
        );

        // Nobody tells the next process how it was made, but the mark.
        await host.driver.unplug({ bridge: host.driver.bridgeOf(network.id), taps: [tap] });
        const stranger = new DeviceManager({ ...settings, namespacePrefix: "other-" });
        await stranger.destroy(network.id);
        await stranger.settle();

        assert.deepEqual(await stranger.list(), []);
        assert.equal((await host.members(bridgeName(network.id))).length, 0);
      } finally {
        await manager.destroy(network.id);
        await manager.settle();
        await deleteNamespace(instance);
        await directory.remove();
      }
    });
  });
}
