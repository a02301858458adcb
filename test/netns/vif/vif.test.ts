import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { parseDevices } from "../../../src/linux/ip.ts";
import { bridgeName, tapName } from "../../../src/model/device-names.ts";
import { networkId, portId } from "../../../src/model/ids.ts";
import { type PluggedVif, type PlugOptions, plugPort, unplugPort, type VifPort } from "../../../src/vif/vif.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  deviceNames,
  randomId,
  randomMac,
  randomPrefix,
  sh,
  skipWithoutRoot,
  type TestDirectory,
  waitForLink,
} from "../../helpers/namespaces.ts";
import { listVifPorts } from "../../../src/vif/vif-record.ts";

describe("the interface of an instance", { skip: skipWithoutRoot }, () => {
  const runner = processRunner();
  const netns = `${randomPrefix()}i`;
  const network = networkId(randomId());
  let directory: TestDirectory;
  let port: VifPort;

  const newPort = (): VifPort => ({ id: portId(randomId()), networkId: network, macAddress: randomMac(), mtuBytes: 1442 });
  const plug = async (target: PlugOptions["target"] = { netns }, of: VifPort = port): Promise<PluggedVif> =>
    plugPort({ runner, stateDir: directory.path, port: of, target });
  const unplug = async (of: VifPort = port): Promise<PluggedVif | undefined> =>
    unplugPort({ runner, stateDir: directory.path, portId: of.id });

  beforeEach(async () => {
    directory = await createTestDirectory();
    port = newPort();
    await createNamespace(netns);
  });
  afterEach(async () => {
    for (const id of await listVifPorts(directory.path)) await unplugPort({ runner, stateDir: directory.path, portId: id });
    await deleteNamespace(netns);
    await directory.remove();
  });

  test("serves a network whose MTU is too small for IPv6, and one that was raised later", async () => {
    port = { ...port, mtuBytes: 1000 };
    await plug();
    const mtuOf = async (): Promise<number | undefined> =>
      parseDevices(await sh("ip", "-j", "-n", netns, "addr")).find((one) => one.name === "eth0")?.mtuBytes;
    assert.equal(await mtuOf(), 1000);

    port = { ...port, mtuBytes: 1442 };
    await plug();
    assert.equal(await mtuOf(), 1442);
    assert.doesNotMatch(await sh("ip", "addr", "show", tapName(port.id)), /inet6/);
  });

  test("is taken away also when its record was lost in a crash of the machine", async () => {
    const plugged = await plug();
    await writeFile(join(directory.path, "vif", `${port.id}.json`), "");

    await unplug();

    assert.equal((await deviceNames()).has(plugged.tap), false);
    assert.equal((await deviceNames()).has(plugged.bridge), false);
    assert.deepEqual(await listVifPorts(directory.path), []);
  });

  test("follows a change of the port's MAC", async () => {
    await plug();
    port = { ...port, macAddress: randomMac() };

    await plug();

    const inside = parseDevices(await sh("ip", "-j", "-n", netns, "addr")).find((one) => one.name === "eth0");
    assert.equal(inside?.macAddress, port.macAddress);
  });

  test("joins a namespace to the network's bridge, with the port's MAC and MTU", async () => {
    const plugged = await plug();

    assert.deepEqual(plugged.target, { kind: "netns", netns, deviceName: "eth0" });
    const inside = parseDevices(await sh("ip", "-j", "-n", netns, "addr")).find((one) => one.name === "eth0");
    assert.equal(inside?.macAddress, port.macAddress);
    assert.equal(inside.mtuBytes, 1442);
    assert.equal(inside.isUp, true);
    await waitForLink(plugged.tap, netns);
    assert.match(await sh("ip", "link", "show", plugged.tap), new RegExp(`master ${bridgeName(network)}.*state UP`));
    assert.deepEqual(await listVifPorts(directory.path), [port.id]);
  });

  test("a second time changes nothing", async () => {
    const { tap } = await plug();
    await waitForLink(tap, netns);
    const before = await sh("ip", "-o", "link", "show", tap);

    await plug();

    assert.equal(await sh("ip", "-o", "link", "show", tap), before);
  });

  test("unplugging removes device, record and the empty bridge, and may be repeated", async () => {
    const neighbour = newPort();
    await plug();
    await plug({ netns, deviceName: "eth1" }, neighbour);

    await unplug();
    assert.equal((await deviceNames()).has(bridgeName(network)), true, "the neighbour is still in it");
    await unplug(neighbour);

    const names = await deviceNames();
    assert.equal(names.has(tapName(port.id)), false);
    assert.equal(names.has(bridgeName(network)), false);
    assert.deepEqual(await listVifPorts(directory.path), []);
    assert.equal(await unplug(), undefined);
  });

  test("a plug that has to make the bridge anew joins the network's other instances to it again", async () => {
    const other = newPort();
    await plug({ tap: true }, other);
    await sh("ip", "link", "del", bridgeName(network));

    await plug();

    const members = parseDevices(await sh("ip", "-j", "link", "show", "master", bridgeName(network))).map((one) => one.name);
    assert.deepEqual(members.toSorted(), [tapName(port.id), tapName(other.id)].toSorted());
  });

  test("a name that is taken in the instance is refused, and nothing is left", async () => {
    await plug();
    const second = newPort();

    await assert.rejects(plug({ netns }, second), (error: { code?: string; message: string }) => {
      return error.code === "CONFLICT" && error.message.includes("eth0") && error.message.includes(netns);
    });

    assert.equal((await deviceNames()).has(tapName(second.id)), false);
    assert.deepEqual(await listVifPorts(directory.path), [port.id]);
  });

  test("a port that is plugged elsewhere is refused until it is unplugged", async () => {
    await plug();

    await assert.rejects(plug({ tap: true }), { code: "CONFLICT" });
    await unplug();

    assert.deepEqual((await plug({ tap: true })).target, { kind: "tap" });
  });

  test("a namespace that does not exist is refused", async () => {
    await assert.rejects(plug({ netns: `${netns}-none` }), { code: "NOT_FOUND" });

    assert.deepEqual(await listVifPorts(directory.path), []);
  });

  test("a name that is no name is refused before it reaches a command", async () => {
    await assert.rejects(plug({ netns, deviceName: "eth0 up" }), { code: "INVALID" });
    await assert.rejects(plug({ netns: "../x" }), { code: "INVALID" });
  });

  test("an instance that was made anew is plugged anew", async () => {
    await plug();
    await deleteNamespace(netns);
    await createNamespace(netns);

    await plug();

    assert.match(await sh("ip", "-n", netns, "link", "show", "eth0"), new RegExp(port.macAddress));
  });

  test("a tap for a hypervisor is made in the bridge, up, and kept by a second plug", async () => {
    await plug({ tap: true });
    const before = await sh("ip", "-o", "link", "show", tapName(port.id));
    await plug({ tap: true });

    const after = await sh("ip", "-o", "-d", "link", "show", tapName(port.id));
    assert.match(after, /tun type tap/);
    assert.match(after, new RegExp(`mtu 1442 .*master ${bridgeName(network)}`));
    assert.equal(before.split(":")[0], after.split(":")[0], "same device");
  });

  test("two plugs at once on one new network both end in its bridge", async () => {
    const other = newPort();

    await Promise.all([plug(), plug({ netns, deviceName: "eth1" }, other)]);

    for (const one of [port, other]) {
      assert.match(await sh("ip", "link", "show", tapName(one.id)), new RegExp(`master ${bridgeName(network)}`));
    }
  });
});
