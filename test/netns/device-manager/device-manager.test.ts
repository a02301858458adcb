import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { DeviceManager } from "../../../src/device-manager/device-manager.ts";
import { NetloomError } from "../../../src/base/errors.ts";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";
import { type DeviceState, parseDevices } from "../../../src/linux/ip.ts";
import { type NamespaceRunner, NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import type { NetworkView, Port } from "../../../src/model/network.ts";
import { countingRunner } from "../../helpers/dhcp-bench.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import {
  createTestDirectory,
  deviceNames,
  randomPrefix,
  sh,
  skipWithoutRoot,
  type TestDirectory,
} from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";

describe("DeviceManager", { skip: skipWithoutRoot }, () => {
  const prefix = randomPrefix();
  let directory: TestDirectory;
  let manager: DeviceManager;
  let children: (readonly string[])[];
  let runner: CommandRunner;
  let view: NetworkView;
  let port: Port;

  const newManager = (): DeviceManager =>
    new DeviceManager({ runner, stateDir: directory.path, host: "h1.example.org", namespacePrefix: prefix });
  const namespace = (): string => `${prefix}qdhcp-${view.network.id}`;
  const device = (): string => `ns-${port.id.slice(0, 11)}`;
  const tap = (): string => `tap${port.id.slice(0, 11)}`;
  const bridge = (): string => `brq${view.network.id.slice(0, 11)}`;
  const readDevice = async (): Promise<DeviceState> => {
    const found = parseDevices(await sh("ip", "-j", "-n", namespace(), "addr")).find((one) => one.name === device());
    if (found === undefined) throw new Error(`no ${device()} in ${namespace()}`);
    return found;
  };
  const readAddresses = async (): Promise<readonly string[]> =>
    (await readDevice()).addresses.filter((one) => one.scope === "global").map((one) => `${one.address}/${one.prefixLength}`);
  const setup = async (verify = false): Promise<void> => {
    await manager.setup(view, port, { verify, metadata: noMetadata });
  };
  /** The same network with other subnets, and the port on them. */
  const change = (subnets: readonly Parameters<typeof makeSubnet>[1][], addresses: readonly string[]): void => {
    const made = subnets.map((values) => makeSubnet(view.network, values));
    port = { ...makeDhcpPort(made, addresses), id: port.id, macAddress: port.macAddress };
    view = makeView(view.network, made, [port]);
  };

  beforeEach(async () => {
    directory = await createTestDirectory();
    const counting = countingRunner();
    runner = counting.runner;
    children = counting.argvs;
    const network = makeNetwork({ mtuBytes: 1442 });
    const subnet = makeSubnet(network);
    port = makeDhcpPort([subnet], ["10.20.0.2"]);
    view = makeView(network, [subnet], [port]);
    manager = newManager();
  });
  afterEach(async () => {
    await manager.settle();
    const last = newManager();
    await last.destroy(view.network.id);
    await last.settle();
    await directory.remove();
  });

  test("makes namespace, bridge and device without a fork for them", async () => {
    const made = await manager.setup(view, port, { verify: false, metadata: noMetadata });

    assert.deepEqual(made, { namespace: namespace(), interfaceName: device() });
    assert.deepEqual(children, []);
    const state = await readDevice();
    assert.equal(state.macAddress, port.macAddress);
    assert.equal(state.mtuBytes, 1442);
    assert.equal(state.isUp, true);
    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
    assert.match(await sh("ip", "-n", namespace(), "route"), /default via 10\.20\.0\.1 dev ns-/);
    const [link] = JSON.parse(await sh("ip", "-j", "link", "show", tap()));
    assert.equal(link.master, bridge());
    assert.equal(link.mtu, 1442);
    const [tapAddresses] = parseDevices(await sh("ip", "-j", "addr", "show", tap()));
    assert.deepEqual(tapAddresses?.addresses, [], "the host has no address on a tenant's wire");
  });

  test("DA-189: believes no router advertisement in the namespace", async () => {
    await setup();

    for (const name of ["default", device()]) {
      for (const setting of ["accept_ra", "autoconf"]) {
        const value = await sh(
          "nsenter",
          `--net=/run/netns/${namespace()}`,
          "cat",
          `/proc/sys/net/ipv6/conf/${name}/${setting}`,
        );
        assert.equal(value.trim(), "0", `${name}/${setting}`);
      }
    }
  });

  test("leaves UDP checksums to software, so that old clients take replies", async () => {
    await setup();

    const features = await sh("nsenter", `--net=/run/netns/${namespace()}`, "ethtool", "-k", device());
    assert.match(features, /^tx-checksumming: off/m);
  });

  test("DA-179: a second time costs no child, neither for this manager nor for the next", async () => {
    await setup();
    children.length = 0;

    await setup();
    manager = newManager();
    await setup();

    assert.deepEqual(children, []);
  });

  test("verify repairs what somebody changed behind its back", async () => {
    await setup();
    await sh("ip", "-n", namespace(), "addr", "flush", "dev", device());
    await sh("ip", "-n", namespace(), "addr", "add", "10.99.0.1/16", "dev", device());
    await sh("ip", "link", "set", tap(), "nomaster");

    await setup(true);

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
    assert.match(await sh("ip", "link", "show", tap()), new RegExp(`master ${bridge()}`));
    assert.match(await sh("ip", "-n", namespace(), "route"), /default via 10\.20\.0\.1/);
  });

  test("verify with nothing to repair leaves the device as it is", async () => {
    await setup();
    const before = await sh("ip", "-n", namespace(), "-o", "link", "show", device());

    await setup(true);

    assert.equal(await sh("ip", "-n", namespace(), "-o", "link", "show", device()), before);
  });

  test("DA-193, DA-196: addresses, MTU and routes follow the model", async () => {
    await setup();
    change(
      [
        { cidr: "10.30.0.0/16", gatewayIp: "10.30.0.1" },
        { cidr: "10.20.0.0/24", gatewayIp: null },
      ],
      ["10.30.0.9", "10.20.0.3"],
    );
    view = { ...view, network: { ...view.network, mtuBytes: 1400 } };

    await setup();

    assert.deepEqual((await readAddresses()).toSorted(), ["10.20.0.3/24", "10.30.0.9/16"]);
    assert.equal((await readDevice()).mtuBytes, 1400);
    assert.match(
      await sh("ip", "-n", namespace(), "route", "show", "default"),
      /^default via 10\.30\.0\.1 dev \S+ proto static\s*$/,
    );
  });

  test("DA-194: a gateway outside the subnet is reached on the link; without a gateway no default route stays", async () => {
    change([{ gatewayIp: "192.0.2.1" }], ["10.20.0.2"]);
    await setup();
    const routes = await sh("ip", "-n", namespace(), "route");
    assert.match(routes, /^default via 192\.0\.2\.1 /m);
    assert.match(routes, /^192\.0\.2\.1 dev \S+ proto static scope link/m);

    change([{ gatewayIp: null }], ["10.20.0.2"]);
    await setup();

    assert.equal((await sh("ip", "-n", namespace(), "route")).trim().split("\n").length, 1, "only the subnet's own route");
  });

  test("IPv6 addresses can be used at once, beside IPv4", async () => {
    change(
      [
        {},
        {
          cidr: "2001:db8:1::/64",
          ipVersion: 6,
          gatewayIp: "2001:db8:1::1",
          ipv6AddressMode: "dhcpv6-stateful",
          ipv6RaMode: "dhcpv6-stateful",
        },
      ],
      ["10.20.0.2", "2001:db8:1::2"],
    );

    await setup();

    const shown = await sh("ip", "-n", namespace(), "-6", "addr", "show", "dev", device());
    assert.match(shown, /2001:db8:1::2\/64 scope global nodad/);
    assert.doesNotMatch(shown, /tentative/);
    assert.match(await sh("ip", "-6", "-n", namespace(), "route", "show", "default"), /via 2001:db8:1::1/);
  });

  test("another port of the agent takes the place of the first", async () => {
    await setup();
    const before = { tap: tap(), device: device() };
    port = makeDhcpPort(view.subnets, ["10.20.0.2"]);

    await setup();

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
    assert.equal((await deviceNames()).has(before.tap), false);
  });

  test("DA-197: a plain file in place of the namespace is replaced by one", async () => {
    await mkdir("/run/netns", { recursive: true });
    await writeFile(`/run/netns/${namespace()}`, "");

    await setup();

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
  });

  test("a namespace that vanished is made again", async () => {
    await setup();
    await sh("ip", "netns", "del", namespace());

    await setup();

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
  });

  test("DA-198: can be destroyed and made again at once", async () => {
    for (let round = 0; round < 3; round += 1) {
      await setup();
      await manager.destroy(view.network.id);
    }
    await setup();

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
  });

  test("DA-180: a set-up that fails leaves nothing", async () => {
    const inner = new NamespaceWorker();
    const worker: NamespaceRunner = {
      run: async (where, operations) => {
        if (where === undefined) return inner.run(where, operations);
        throw new NetloomError("COMMAND_FAILED", "Operation not permitted");
      },
    };
    const broken = new DeviceManager({ runner, worker, stateDir: directory.path, host: "h1", namespacePrefix: prefix });

    await assert.rejects(broken.setup(view, port, { verify: false, metadata: noMetadata }), /Operation not permitted/);

    assert.deepEqual(await broken.list(), []);
    assert.equal(existsSync(`/run/netns/${namespace()}`), false);
    const names = await deviceNames();
    assert.equal(names.has(tap()), false);
    assert.equal(names.has(bridge()), false);
  });

  test("DA-108: a device that resists lets the namespace go; its removal is told, named by its mark, and works the next time", async () => {
    const inner = new NamespaceWorker();
    let failures = 0;
    const worker: NamespaceRunner = {
      run: async (where, operations) => {
        const isHost = where === undefined && operations.every(({ kind }) => kind === "netlink");
        if (!isHost || failures === 0) return inner.run(where, operations);
        failures -= 1;
        throw new NetloomError("COMMAND_FAILED", "Device or resource busy");
      },
    };
    const failing = new DeviceManager({ runner, worker, stateDir: directory.path, host: "h1", namespacePrefix: prefix });
    await failing.setup(view, port, { verify: false, metadata: noMetadata });
    failures = 1;

    await failing.destroy(view.network.id);
    await failing.settle();
    assert.equal(existsSync(`/run/netns/${prefix}qdhcp-${view.network.id}`), false);
    assert.deepEqual(await failing.list(), [view.network.id]);
    await waitFor(() => failing.hasUnremoved(), { limitMs: 10_000, what: "the removal to be due again" });
    await failing.destroy(view.network.id);
    await failing.settle();

    assert.equal(failing.hasUnremoved(), false);
    assert.deepEqual(await failing.list(), []);
    assert.equal((await deviceNames()).has(bridge()), false);
  });

  test("the mark names everything before anything is made, and a stranger destroys by it", async () => {
    await setup();
    const [mark] = (await readFile(join(directory.path, "dhcp", view.network.id, "device.json"), "utf8"))
      .split("\n", 1)
      .map((line) => JSON.parse(line));
    assert.deepEqual([mark.namespace, mark.bridge, mark.taps], [namespace(), bridge(), [tap()]]);
    const stranger = new DeviceManager({ runner, stateDir: directory.path, host: "other", namespacePrefix: "other-" });

    assert.deepEqual(await stranger.list(), [view.network.id]);
    await stranger.destroy(view.network.id);
    await stranger.destroy(view.network.id);
    await stranger.settle();

    assert.deepEqual(await stranger.list(), []);
    assert.equal(existsSync(`/run/netns/${namespace()}`), false);
    assert.equal((await deviceNames()).has(bridge()), false);
  });

  test("a mark that was not written to its end still names everything", async () => {
    await setup();
    const file = join(directory.path, "dhcp", view.network.id, "device.json");
    const [first = ""] = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, `${first}\n${first.slice(0, 40)}`);
    manager = newManager();

    await manager.destroy(view.network.id);
    await manager.settle();

    assert.equal(existsSync(`/run/netns/${namespace()}`), false);
    assert.equal((await deviceNames()).has(tap()), false);
    assert.deepEqual(await manager.list(), []);
  });

  test("a namespace of the same name without our mark is left alone", async () => {
    await setup();
    const other = await createTestDirectory();
    const neighbour = new DeviceManager({ runner, stateDir: other.path, host: "h1", namespacePrefix: prefix });

    await neighbour.destroy(view.network.id);
    await other.remove();

    assert.deepEqual(await readAddresses(), ["10.20.0.2/24"]);
  });

  test("the bridge stays while somebody else is in it", async () => {
    await setup();
    const guest = `${prefix}g`;
    await sh("ip", "link", "add", guest, "type", "veth", "peer", "name", `${prefix}h`);
    try {
      await sh("ip", "link", "set", guest, "master", bridge());

      await manager.destroy(view.network.id);
      await manager.settle();

      assert.equal((await deviceNames()).has(bridge()), true);
    } finally {
      await sh("ip", "link", "del", guest);
      await sh("ip", "link", "del", bridge());
    }
  });
});
