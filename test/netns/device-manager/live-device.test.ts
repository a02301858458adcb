// What becomes of a device that is there: repairs, metadata addresses, neighbours on the wire, failures that repeat.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { DeviceManager } from "../../../src/device-manager/device-manager.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { hasDevice } from "../../../src/linux/ip.ts";
import { type NamespaceRunner, NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import { bridgeName, namespaceDeviceName, tapName } from "../../../src/model/device-names.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";
import type { Network, Port, Subnet } from "../../../src/model/network.ts";
import { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../helpers/dhcp-client.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomMac,
  randomPrefix,
  sh,
  skipWithoutRoot,
  type TestDirectory,
} from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const metadata = { ...noMetadata, v4: true, v6: true };

interface AddressLine {
  readonly local: string;
  readonly dynamic?: boolean;
  readonly dadfailed?: boolean;
  readonly tentative?: boolean;
}

describe("a DHCP device that is there", { skip: skipWithoutRoot }, () => {
  let prefix: string;
  let directory: TestDirectory;
  let network: Network;
  let subnets: readonly Subnet[];
  let port: Port;
  let managers: DeviceManager[];
  let manager: DeviceManager;
  const guests: string[] = [];
  const children: ChildProcess[] = [];

  const newManager = (options: { readonly prefix?: string; readonly worker?: NamespaceRunner } = {}): DeviceManager => {
    const settings = { runner: processRunner(), stateDir: `${directory.path}/${managers.length}`, host: "h1" };
    const made = new DeviceManager({ ...settings, namespacePrefix: options.prefix ?? prefix, worker: options.worker });
    managers.push(made);
    return made;
  };
  const namespace = (): string => `${prefix}qdhcp-${network.id}`;
  const inside = async (...words: readonly string[]): Promise<string> => sh("ip", "-n", namespace(), ...words);
  const setup = async (values: { readonly plan?: typeof metadata; readonly verify?: boolean } = {}): Promise<void> => {
    const view = makeView(network, subnets, [port]);
    await manager.setup(view, port, { verify: values.verify ?? false, metadata: values.plan ?? noMetadata });
  };
  const addressesIn = async (where: string, device: string): Promise<readonly AddressLine[]> =>
    JSON.parse(await sh("ip", "-j", "-n", where, "addr", "show", "dev", device))[0].addr_info;
  const addresses = async (): Promise<readonly AddressLine[]> => addressesIn(namespace(), namespaceDeviceName(port.id));
  const linkOf = async (): Promise<{ readonly ifindex: number; readonly mtu: number }> =>
    JSON.parse(await inside("-j", "link", "show", namespaceDeviceName(port.id)))[0];
  /** A namespace whose eth0 is on the network's bridge. */
  const plugGuest = async (name: string): Promise<string> => {
    const guest = await createNamespace(`${prefix}${name}`);
    guests.push(guest);
    await sh("ip", "link", "add", guest, "type", "veth", "peer", "name", "eth0", "netns", guest);
    await sh("ip", "link", "set", guest, "master", bridgeName(network.id), "up");
    await sh("ip", "-n", guest, "link", "set", "eth0", "up");
    return guest;
  };

  beforeEach(async () => {
    prefix = randomPrefix();
    directory = await createTestDirectory();
    network = makeNetwork({ mtuBytes: 1442 });
    const six = { cidr: "2001:db8:1::/64", ipVersion: 6, gatewayIp: "2001:db8:1::1" } as const;
    const modes = { ipv6AddressMode: "dhcpv6-stateful", ipv6RaMode: "dhcpv6-stateful" } as const;
    subnets = [makeSubnet(network), makeSubnet(network, { ...six, ...modes })];
    port = makeDhcpPort(subnets, ["10.20.0.2", "2001:db8:1::2"]);
    managers = [];
    manager = newManager();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await gone;
    }
    for (const guest of guests.splice(0)) {
      await sh("ip", "link", "del", guest).catch(() => "");
      await deleteNamespace(guest);
    }
    for (const one of managers) {
      await one.destroy(network.id);
      await one.settle();
    }
    await directory.remove();
  });

  test("DA-179, DA-196: gets its MTU back and another one, without being made anew", async () => {
    await setup();
    const { ifindex } = await linkOf();
    await inside("link", "set", namespaceDeviceName(port.id), "mtu", "1300");
    await sh("ip", "link", "set", tapName(port.id), "mtu", "1300");

    await setup({ verify: true });
    assert.deepEqual([(await linkOf()).mtu, (await linkOf()).ifindex], [1442, ifindex]);

    network = { ...network, mtuBytes: 1400 };
    await setup();
    assert.deepEqual([(await linkOf()).mtu, (await linkOf()).ifindex], [1400, ifindex]);
    assert.equal(JSON.parse(await sh("ip", "-j", "link", "show", tapName(port.id)))[0].mtu, 1400);
  });

  test("DA-199: an address that was learnt is replaced by the same one, static", async () => {
    await setup();
    const device = namespaceDeviceName(port.id);
    await inside("addr", "del", "2001:db8:1::2/64", "dev", device);
    await inside("addr", "add", "2001:db8:1::2/64", "dev", device, "valid_lft", "600", "preferred_lft", "600");
    assert.equal((await addresses()).find((one) => one.local === "2001:db8:1::2")?.dynamic, true);

    await setup({ verify: true });

    const present = (await addresses()).filter((one) => one.local === "2001:db8:1::2");
    assert.deepEqual(
      present.map((one) => one.dynamic ?? false),
      [false],
    );
  });

  test("DA-193: default routes of both families are put back, changed, and taken away", async () => {
    const defaults = async (): Promise<readonly string[]> => {
      const both = [await inside("route", "show", "default"), await inside("-6", "route", "show", "default")];
      return both.map((text) => /via (\S+)/.exec(text)?.[1] ?? "none");
    };
    await setup();
    assert.deepEqual(await defaults(), ["10.20.0.1", "2001:db8:1::1"]);
    await inside("route", "del", "default");
    await inside("-6", "route", "del", "default");

    await setup({ verify: true });
    assert.deepEqual(await defaults(), ["10.20.0.1", "2001:db8:1::1"]);

    subnets = subnets.map((one) => ({ ...one, gatewayIp: one.ipVersion === 4 ? "10.20.0.9" : "2001:db8:2::9" }));
    await setup();
    assert.deepEqual(await defaults(), ["10.20.0.9", "2001:db8:2::9"]);
    assert.match(await inside("-6", "route"), /^2001:db8:2::9 dev/m, "DA-194: off-subnet, so on the link");

    subnets = subnets.map((one) => ({ ...one, gatewayIp: null }));
    await setup();
    assert.deepEqual(await defaults(), ["none", "none"]);
    assert.doesNotMatch(await inside("-6", "route"), /2001:db8:2::9/);
  });

  test("DA-195: ports that are not this host's go, everything else stays", async () => {
    await setup();
    for (const [name, peer] of [
      ["ns-00000000-00", "p0"],
      ["tap11111111-1", "p1"],
      ["other0", "p2"],
    ] as const) {
      await inside("link", "add", name, "type", "veth", "peer", "name", peer);
    }

    await setup({ verify: true });

    const names = (JSON.parse(await inside("-j", "link")) as readonly { ifname: string }[]).map((one) => one.ifname);
    assert.deepEqual(
      names.filter((name) => /^(ns-|tap|other)/.test(name)).toSorted(),
      [namespaceDeviceName(port.id), "other0"].toSorted(),
    );
  });

  test("DA-197: ten set-ups that fail over a stale file leave no tap, no bridge, no namespace", async () => {
    const inner = new NamespaceWorker();
    const worker: NamespaceRunner = {
      run: async (where, operations) => {
        if (where === undefined) return inner.run(where, operations);
        throw new NetloomError("UNAVAILABLE", "told to fail");
      },
    };
    manager = newManager({ worker });
    const taps: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      await sh("mkdir", "-p", "/run/netns");
      await sh("touch", `/run/netns/${namespace()}`);
      port = makeDhcpPort(subnets, ["10.20.0.2", "2001:db8:1::2"]);
      taps.push(tapName(port.id));
      await assert.rejects(setup(), /told to fail/);
    }

    assert.deepEqual(taps.filter(hasDevice), []);
    assert.equal(hasDevice(bridgeName(network.id)), false);
    assert.equal(existsSync(`/run/netns/${namespace()}`), false);

    manager = newManager();
    await setup();
    assert.equal(
      (await addresses()).some((one) => one.local === "10.20.0.2"),
      true,
    );
  });

  test("DA-188: carries the metadata addresses while it is told to", async () => {
    await setup({ plan: metadata });
    const shown = await inside("addr", "show", "dev", namespaceDeviceName(port.id));
    assert.match(shown, /169\.254\.169\.254\/32/);
    assert.match(shown, /fe80::a9fe:a9fe\/64 scope link nodad/);

    await setup();

    assert.doesNotMatch(await inside("addr", "show", "dev", namespaceDeviceName(port.id)), /169\.254|a9fe:a9fe/);
  });

  test("DA-188: of two agents one has the IPv6 metadata address, and the other takes over when that one is gone", async () => {
    const other = newManager({ prefix: `${prefix}b-` });
    const otherPort = makeDhcpPort(subnets, ["10.20.0.3", "2001:db8:1::3"]);
    const view = makeView(network, subnets, [port, otherPort]);
    const metadataState = async (where: string, of: Port): Promise<AddressLine | undefined> =>
      (await addressesIn(where, namespaceDeviceName(of.id))).find((one) => one.local === "fe80::a9fe:a9fe");
    const otherNamespace = `${prefix}b-qdhcp-${network.id}`;
    const settled = (one: AddressLine | undefined): boolean => one !== undefined && one.tentative !== true;
    await manager.setup(view, port, { verify: false, metadata });
    await waitFor(async () => settled(await metadataState(namespace(), port)), {
      limitMs: 10_000,
      what: "the first to have it",
    });

    await other.setup(view, otherPort, { verify: false, metadata });
    const failed = async (): Promise<boolean> => (await metadataState(otherNamespace, otherPort))?.dadfailed === true;
    await waitFor(failed, { limitMs: 10_000, what: "the second to find it taken" });
    assert.notEqual((await metadataState(namespace(), port))?.dadfailed, true);

    await manager.destroy(network.id);
    await manager.settle();
    await other.setup(view, otherPort, { verify: true, metadata });
    const has = async (): Promise<boolean> => {
      const found = await metadataState(otherNamespace, otherPort);
      return settled(found) && found?.dadfailed !== true;
    };
    await waitFor(has, { limitMs: 10_000, what: "the second to take over" });
  });

  test("DA-189: learns nothing from a router advertisement that a neighbour believes", async () => {
    await setup();
    const router = await plugGuest("r");
    await sh("ip", "-n", router, "addr", "add", "2001:db8:9::1/64", "dev", "eth0", "nodad");
    const neighbour = await plugGuest("n");
    const options = ["--port=0", "--enable-ra", "--dhcp-range=2001:db8:9::,ra-only", "--ra-param=eth0,4,1800"];
    const alone = ["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root", "--log-facility=/dev/null"];
    const dnsmasq = ["dnsmasq", "--interface=eth0", "--bind-interfaces", `--dhcp-leasefile=${directory.path}/ra`];
    const argv = [`--net=/run/netns/${router}`, ...dnsmasq, ...alone, ...options];
    children.push(spawn("nsenter", argv, { stdio: "ignore" }));

    const learnt = (list: readonly AddressLine[]): boolean => list.some((one) => one.local.startsWith("2001:db8:9:"));
    await waitFor(async () => learnt(await addressesIn(neighbour, "eth0")), {
      limitMs: 15_000,
      what: "the neighbour's address",
    });

    assert.equal(learnt(await addresses()), false);
    assert.doesNotMatch(await inside("-6", "route"), /2001:db8:9::|proto ra/);
  });

  test("DA-198: networks that are deleted and made again at once are there", async () => {
    const wanted = Array.from({ length: 6 }, () => {
      const one = makeNetwork();
      const subnet = makeSubnet(one);
      const dhcpPort = makeDhcpPort([subnet], ["10.20.0.2"]);
      return { view: makeView(one, [subnet], [dhcpPort]), dhcpPort };
    });
    const all = async (work: (one: (typeof wanted)[number]) => Promise<unknown>): Promise<void> =>
      void (await Promise.all(wanted.map(work)));
    const options = { verify: false, metadata: noMetadata };
    try {
      await all(({ view, dhcpPort }) => manager.setup(view, dhcpPort, options));

      await all(({ view }) => manager.destroy(view.network.id));
      await all(({ view, dhcpPort }) => manager.setup(view, dhcpPort, options));

      await all(async ({ view, dhcpPort }) => {
        const found = await addressesIn(`${prefix}qdhcp-${view.network.id}`, namespaceDeviceName(dhcpPort.id));
        assert.equal(
          found.some((one) => one.local === "10.20.0.2"),
          true,
        );
        assert.equal(hasDevice(tapName(dhcpPort.id)) && hasDevice(bridgeName(view.network.id)), true);
      });
    } finally {
      await all(({ view }) => manager.destroy(view.network.id));
      await manager.settle();
    }
    assert.deepEqual(
      wanted.filter(({ view }) => hasDevice(bridgeName(view.network.id))),
      [],
    );
  });
});

/** What tcpdump says of the UDP checksums of the replies that a client gets. */
async function replyChecksums(guest: string): Promise<string> {
  const argv = [`--net=/run/netns/${guest}`, "tcpdump", "-i", "eth0", "-n", "-vv", "--immediate-mode", "-l", "udp src port 67"];
  const child = spawn("nsenter", argv, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let words = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words += chunk));
  try {
    await waitFor(() => words.includes("listening on"), { limitMs: 10_000, what: "tcpdump to listen" });
    const answer = await runDhcpClient(guest, "eth0", { kind: "udhcpc" });
    assert.equal(answer?.ipAddress, "10.20.0.50");
    await waitFor(() => /cksum|udp sum/.test(text), { limitMs: 10_000, what: "a reply in the capture" });
    return text;
  } finally {
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
  }
}

describe("checksums of DHCP replies", { skip: skipWithoutRoot }, () => {
  test("DA-179: are right on the wire, as clients that read raw packets want them, and wrong with checksum offload", async () => {
    const bench = await DhcpBench.create();
    try {
      const mac = randomMac();
      await bench.apply([makePort(bench.subnets, ["10.20.0.50"], { macAddress: mac })]);
      const guest = await bench.plug(mac);

      const ours = await replyChecksums(guest);
      assert.match(ours, /udp sum ok/);
      assert.doesNotMatch(ours, /bad udp cksum/);

      const device = namespaceDeviceName(bench.dhcpPort.id);
      await sh("nsenter", `--net=/run/netns/${bench.namespace}`, "ethtool", "-K", device, "tx", "on");
      assert.match(await replyChecksums(guest), /bad udp cksum/);
    } finally {
      await bench.close();
    }
  });
});
