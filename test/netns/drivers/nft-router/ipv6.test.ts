// IPv6 of a router on the real kernel, with a real radvd and what instances make of its advertisements.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readyFile, type RouterReady } from "../../../../src/drivers/l3-layout.ts";
import { type CommandRunner, processRunner } from "../../../../src/linux/command-runner.ts";
import { bridgeName, routerDeviceName } from "../../../../src/model/device-names.ts";
import type { RouterAddress } from "../../../../src/model/router.ts";
import { findProcessesOf } from "../../../helpers/instance.ts";
import { createNamespace, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { joinBridge } from "../../../helpers/outside-segment.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { RouterScene } from "../../../helpers/router-scene.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const quick = { verify: false };
const slaac = (n: number, values: Partial<RouterAddress> = {}): RouterAddress =>
  makeAddress(`2001:db8:${n}::1`, `2001:db8:${n}::/64`, { ipv6RaMode: "slaac", ipv6AddressMode: "slaac", ...values });

function parentOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1]);
  } catch {
    return 0;
  }
}

describe("router advertisements", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([slaac(1)]);
  const router = makeRouter({ interfaces: [red] });
  const device = routerDeviceName(red.portId);
  let scene: RouterScene;

  const configOf = (): string => readFileSync(join(scene.directory.path, "l3", "radvd", `${router.id}.conf`), "utf8");
  /** Each has a helper, its child, that ends with it. */
  const radvds = async (): Promise<readonly number[]> => {
    const all = await findProcessesOf(scene.directory.path, "radvd");
    return all.filter((pid) => !all.includes(parentOf(pid)));
  };
  const allGone = { limitMs: 10_000, what: "radvd and its helper to be gone" };
  const assertNoRadvd = (): Promise<unknown> =>
    waitFor(async () => (await findProcessesOf(scene.directory.path, "radvd")).length === 0, allGone);
  const withAddresses = (...addresses: readonly RouterAddress[]) => ({ ...router, interfaces: [{ ...red, addresses }] });

  /** An instance that takes whatever is advertised, with a network device that comes up now. */
  async function plugListening(name: string): Promise<string> {
    const namespace = await createNamespace(`${scene.prefix}${name}`);
    scene.keep(namespace);
    await joinBridge(namespace, bridgeName(red.networkId));
    return namespace;
  }
  const globalsOf = async (namespace: string): Promise<readonly string[]> => {
    type Link = { addr_info: readonly { local: string; scope: string }[] };
    const [link] = JSON.parse(await sh("ip", "-n", namespace, "-6", "-j", "addr", "show", "dev", "eth0")) as readonly Link[];
    return (link?.addr_info ?? []).filter(({ scope }) => scope === "global").map(({ local }) => local);
  };
  const prefixes = async (namespace: string): Promise<readonly string[]> =>
    (await globalsOf(namespace)).map((address) => address.split(":").slice(0, 3).join(":")).sort();

  beforeEach(async () => {
    scene = await RouterScene.open();
  });
  afterEach(async () => scene.remove());

  test("an instance makes its own address, has a way out and the way to metadata, and the MTU of the network", async () => {
    await scene.driver().apply(router, quick);

    const guest = await plugListening("guest");
    await waitFor(async () => (await prefixes(guest)).includes("2001:db8:1"), { limitMs: 10_000, what: "an address by SLAAC" });

    const routes = await sh("ip", "-n", guest, "-6", "route");
    assert.match(routes, /default via fe80::\S+ dev eth0 proto ra/);
    assert.match(routes, /mtu 1450/);
    await scene.ping(guest, "2001:db8:1::1");
    await scene.ping(guest, "fe80::a9fe:a9fe%eth0");
  });

  test("L3-22, L3-23: a second subnet on the port adds an address and a prefix, and goes again", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    const [pid] = await radvds();

    await driver.apply(withAddresses(slaac(1), slaac(2)), quick);
    assert.deepEqual(await scene.addressesOf(router, device), ["2001:db8:1::1/64", "2001:db8:2::1/64", "fe80::a9fe:a9fe/64"]);
    const guest = await plugListening("guest");
    await waitFor(async () => (await prefixes(guest)).length === 2, { limitMs: 10_000, what: "two addresses by SLAAC" });
    await driver.apply(router, quick);

    assert.deepEqual(await scene.addressesOf(router, device), ["2001:db8:1::1/64", "fe80::a9fe:a9fe/64"]);
    assert.doesNotMatch(configOf(), /2001:db8:2/);
    assert.deepEqual(await radvds(), [pid], "radvd was not told by a signal");
  });

  test("L3-84: modes are mixed on one port: only stateful prefixes are not for making addresses from", async () => {
    const stateful = slaac(2, { ipv6RaMode: "dhcpv6-stateful", ipv6AddressMode: "dhcpv6-stateful" });
    const stateless = slaac(3, { ipv6RaMode: "dhcpv6-stateless", ipv6AddressMode: "dhcpv6-stateless" });
    await scene.driver().apply(withAddresses(slaac(1), stateful, stateless), quick);

    const guest = await plugListening("guest");
    await waitFor(async () => (await prefixes(guest)).length >= 2, { limitMs: 10_000, what: "addresses by SLAAC" });

    assert.deepEqual(await prefixes(guest), ["2001:db8:1", "2001:db8:3"]);
    assert.match(configOf(), /AdvManagedFlag on;/);
    assert.match(configOf(), /AdvOtherConfigFlag on;/);
    assert.match(configOf(), /prefix 2001:db8:2::\/64 \{ AdvOnLink on; AdvAutonomous off; \}/);
  });

  test("L3-85: where the MTU is too small for IPv6 there is none, and no advertisement", async () => {
    const small = { ...red, mtuBytes: 1200, addresses: [makeAddress("10.1.0.1", "10.1.0.0/24"), slaac(1)] };

    await scene.driver().apply({ ...router, interfaces: [small] }, quick);

    assert.deepEqual(await scene.addressesOf(router, device), ["10.1.0.1/24"]);
    await assertNoRadvd();
  });

  test("L3-86: at most three resolvers are told, those of IPv6", async () => {
    const dnsNameservers = ["192.0.2.53", ...[1, 2, 3, 4].map((n) => `2001:db8:53::${n}`)];

    await scene.driver().apply(withAddresses(slaac(1, { dnsNameservers })), quick);

    assert.match(configOf(), /RDNSS 2001:db8:53::1 2001:db8:53::2 2001:db8:53::3 \{\};/);
    assert.equal((await radvds()).length, 1);
  });

  test("L3-87: with the last subnet that is advertised radvd goes", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    assert.equal((await radvds()).length, 1);

    await driver.apply(withAddresses(makeAddress("2001:db8:1::1", "2001:db8:1::/64")), quick);

    await assertNoRadvd();
    assert.deepEqual((await driver.apply(withAddresses(), { verify: true })).warnings, []);
  });

  test("a radvd that died is found and started again; one that lives is adopted; it goes with the router", async () => {
    await scene.driver().apply(router, quick);
    const [first = 0] = await radvds();
    const driver = scene.driver();
    assert.equal((await driver.apply(router, quick)).outcome, "adopted");
    assert.deepEqual(await radvds(), [first]);

    process.kill(first, "SIGKILL");
    await waitFor(async () => (await driver.findBroken()).length === 1, { limitMs: 10_000, what: "the death to be seen" });
    const result = await driver.apply(router, { verify: true });

    assert.equal(result.foreignChanges, 1);
    assert.equal((await radvds()).length, 1);
    await driver.remove(router.id);
    await assertNoRadvd();
  });

  test("a radvd that does not start is an error of the router, of which floating IPs take no notice; once it starts nobody is blamed", async () => {
    const inner = processRunner();
    let isBroken = true;
    const refused = { exitCode: 1, stdout: "", stderr: "radvd: not today" };
    const runner: CommandRunner = {
      run: async (argv, options) => (isBroken && argv.includes("radvd") ? refused : inner.run(argv, options)),
    };
    const driver = scene.driver({ runner });
    const epoch = (): unknown => {
      const { epoch: found, routerId }: RouterReady = JSON.parse(
        readFileSync(readyFile(scene.directory.path, router.id), "utf8"),
      );
      assert.equal(routerId, router.id);
      return found;
    };

    await assert.rejects(driver.apply(router, quick), /no router advertisements: .*not today/);
    const first = epoch();
    await assert.rejects(driver.apply(router, { verify: true }), /not today/);
    isBroken = false;
    const result = await driver.apply(router, { verify: true });

    assert.equal(result.foreignChanges, 0);
    assert.equal(epoch(), first);
    assert.equal((await radvds()).length, 1);
    assert.deepEqual((await driver.apply(router, { verify: true })).outcome, "unchanged");
  });

  test("neighbours that knew another owner of its addresses send to the router at once, inside and outside", async () => {
    const gateway = makeGateway([makeAddress("2001:db8:ffff::10", "2001:db8:ffff::/64", { gatewayIp: "2001:db8:ffff::fe" })]);
    const guest = await scene.plugGuest("guest", red, "2001:db8:1::5/64", "2001:db8:1::1");
    const neighbours = [
      { namespace: guest.namespace, address: "2001:db8:1::1", macAddress: red.macAddress },
      { namespace: scene.outside, address: "2001:db8:ffff::10", macAddress: gateway.macAddress },
    ] as const;
    for (const { namespace, address } of neighbours) {
      // Stale, and nobody asks: only an announcement can change it.
      const known = [address, "lladdr", "02:00:00:00:00:99", "nud", "stale"];
      await sh("ip", "-n", namespace, "-6", "neigh", "replace", ...known, "dev", "eth0");
    }

    await scene.driver().apply({ ...router, gateway }, quick);

    for (const { namespace, address, macAddress } of neighbours) {
      const isKnown = async (): Promise<boolean> =>
        (await sh("ip", "-n", namespace, "-6", "neigh", "show", address, "dev", "eth0")).includes(macAddress);
      await waitFor(isKnown, { limitMs: 10_000, what: `${namespace} to know ${address}` });
    }
    await scene.ping(guest.namespace, "2001:db8:1::1");
    await scene.ping(scene.outside, "2001:db8:ffff::10");
  });

  test("on a host without radvd everything else works, and the lack is told", async () => {
    const driver = scene.driver({ hasRadvd: false });

    for (const outcome of ["created", "unchanged"]) {
      const result = await driver.apply(router, quick);
      assert.deepEqual([result.outcome, result.warnings], [outcome, ["no router advertisements: radvd is not installed"]]);
    }
    assert.deepEqual(await scene.addressesOf(router, device), ["2001:db8:1::1/64", "fe80::a9fe:a9fe/64"]);
  });
});
