// When the proxy listens and when it does not, on the real kernel.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { Logger } from "../../../src/base/logger.ts";
import type { MetadataProxy } from "../../../src/metadata-proxy/metadata-proxy.ts";
import { noMetadata, planMetadata } from "../../../src/model/metadata-plan.ts";
import type { NetworkView, Port } from "../../../src/model/network.ts";
import { makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";
import { ask, askAt, MetadataBench, openProxy } from "../../helpers/metadata-bench.ts";
import { createNamespace, deleteNamespace, deviceNames, randomPrefix, sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

interface Line {
  readonly level: string;
  readonly message: string;
}

function recordingLogger(lines: Line[]): Logger {
  const at =
    (level: string) =>
    (_: unknown, message: string): void =>
      void lines.push({ level, message });
  const log: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: () => log };
  return log;
}

const countDescriptors = (): number => readdirSync("/proc/self/fd").length;
const listening = async (namespace: string): Promise<string> =>
  (await sh("nsenter", `--net=/run/netns/${namespace}`, "ss", "-Hltn", "sport = :80")).trim();

for (const sockets of ["setns", "child"] as const) {
  describe(`MetadataProxy with sockets by ${sockets}`, { skip: skipWithoutRoot }, () => {
    let bench: MetadataBench;
    let proxy: MetadataProxy;
    let port: Port;
    let guest: string;

    before(async () => {
      bench = new MetadataBench();
      port = makePort(bench.subnets, ["10.20.0.9"], { deviceId: "instance-9" });
      await bench.setup(noMetadata);
      guest = await bench.plug(port);
    });
    beforeEach(async () => {
      proxy = await openProxy({ sockets });
    });
    afterEach(async () => proxy.close());
    after(async () => bench.close());

    const instanceId = async (): Promise<string> => String((await ask(guest, "/latest/meta-data/instance-id")).body);

    test("DA-075: an instance on an isolated network is told who it is", async () => {
      await bench.apply(proxy, [port]);

      assert.equal(await instanceId(), "instance-9");
    });

    test("DA-092: what is as it should be stays; the view is always the last one", async () => {
      await bench.apply(proxy, [port]);

      await bench.apply(proxy, [{ ...port, deviceId: "renamed" }]);

      assert.equal(proxy.metrics.opened, 1);
      assert.equal(await instanceId(), "renamed");
    });

    test("DA-090: turned off, nobody listens any more; turned on again, somebody does", async () => {
      await bench.apply(proxy, [port]);

      await bench.apply(proxy, [port], { isolated: false });

      assert.equal(await listening(bench.namespace), "");
      assert.equal(proxy.metrics.listeners, 0);
      await bench.apply(proxy, [port]);
      assert.equal(await instanceId(), "instance-9");
    });

    test("DA-088, DA-089: after the proxy the next one serves at once, with its own settings", async () => {
      await bench.apply(proxy, [port]);
      await proxy.close();
      assert.equal(await listening(bench.namespace), "");

      proxy = await openProxy({ sockets, requestsPerSecond: 0.001, requestBurst: 1 });
      await bench.apply(proxy, [port]);

      assert.equal(await instanceId(), "instance-9");
      assert.equal((await ask(guest, "/latest/meta-data/instance-id")).status, 429);
    });

    test("a namespace that was made anew gets a new listener", async () => {
      await bench.apply(proxy, [port]);
      await bench.removeDevice();

      await bench.apply(proxy, [port]);

      assert.equal(proxy.metrics.opened, 2);
      assert.equal(proxy.metrics.listeners, 1);
      assert.equal(await instanceId(), "instance-9");
    });

    test("DA-093: removing works when the namespace has gone, and lets its devices go; twice is no error", async () => {
      await bench.apply(proxy, [port]);
      const tap = `tap${bench.dhcpPort.id.slice(0, 11)}`;
      await deleteNamespace(bench.namespace);
      assert.ok((await deviceNames()).has(tap), "the open listener keeps the nameless namespace");

      await proxy.remove(bench.network.id);
      await proxy.remove(bench.network.id);

      assert.equal(proxy.metrics.networks, 0);
      await waitFor(async () => !(await deviceNames()).has(tap), { limitMs: 10_000, what: `${tap} to go` });
    });

    test("without its address or its namespace it fails, and the next apply heals", async () => {
      const view = bench.view([port]);
      const plan = planMetadata(view, bench.dhcpPort, { isolated: true, force: false, metadataNetwork: false });
      const device = await bench.setup(plan);
      await sh("ip", "-n", bench.namespace, "addr", "del", "169.254.169.254/32", "dev", device.interfaceName);
      const desired = { view, dhcpPort: bench.dhcpPort, device, plan };

      await assert.rejects(proxy.apply(desired), { code: "UNAVAILABLE", message: /EADDRNOTAVAIL|169\.254/ });
      const nowhere = { ...desired, device: { ...device, namespace: `${bench.prefix}nowhere` } };
      await assert.rejects(proxy.apply(nowhere), { code: "UNAVAILABLE", message: /no namespace/ });
      await bench.apply(proxy, [port]);

      assert.equal(await instanceId(), "instance-9");
    });
  });
}

describe("when the metadata proxy listens", { skip: skipWithoutRoot }, () => {
  let proxy: MetadataProxy;
  let bench: MetadataBench | undefined;
  const lines: Line[] = [];

  beforeEach(async () => {
    lines.length = 0;
    proxy = await openProxy({}, recordingLogger(lines));
  });
  afterEach(async () => {
    await proxy.close();
    await bench?.close();
    bench = undefined;
  });

  for (const [name, options] of [
    ["isolated", { isolated: true }],
    ["forced", { isolated: false, force: true }],
  ] as const) {
    test(`DA-091: ${name}, it starts with the first subnet and ends with the last`, async () => {
      bench = new MetadataBench();
      const { dhcpPort } = bench;
      const device = await bench.setup({ ...noMetadata, v4: true });
      const reconcile = async (view: NetworkView): Promise<number> => {
        const plan = planMetadata(view, dhcpPort, { force: false, metadataNetwork: false, ...options });
        await proxy.apply({ view, dhcpPort, device, plan });
        return proxy.metrics.listeners;
      };
      const without = makeView(bench.network, [], [dhcpPort]);

      assert.equal(await reconcile(without), 0);
      assert.equal(await reconcile(bench.view()), 1);
      assert.notEqual(await listening(bench.namespace), "");
      assert.equal(await reconcile(without), 0);
      assert.equal(await listening(bench.namespace), "");
    });
  }

  test("DA-079, DA-085, DA-096: over IPv6 an instance is known by its address, or by the MAC in its link-local one", async () => {
    const network = makeNetwork();
    const blue = makeSubnet(network);
    const red = makeSubnet(network, { cidr: "2001:db8:1::/64", ipVersion: 6, gatewayIp: null, ipv6AddressMode: "slaac" });
    bench = new MetadataBench({ network, subnets: [blue, red], dhcpAddresses: ["10.20.0.2", "2001:db8:1::2"] });
    const port = makePort([blue, red], ["10.20.0.9", "2001:db8:1::9"], { deviceId: "instance-9" });
    const foreign = makePort([red], ["2001:db8:1::3"], { deviceOwner: "network:dhcp", deviceId: "dhcp-of-another-host" });
    await bench.apply(proxy, [port, foreign]);
    const guest = await bench.plug(port);
    const url = "http://[fe80::a9fe:a9fe%25eth0]/latest/meta-data/instance-id";

    const byLinkLocal = await askAt(guest, url);
    const byGlobal = await askAt(guest, url, "--interface", "2001:db8:1::9");

    assert.equal(proxy.metrics.listeners, 2);
    assert.equal(String(byLinkLocal.body), "instance-9");
    assert.equal(String(byGlobal.body), "instance-9");
    await sh("ip", "-n", guest, "addr", "flush", "dev", "eth0", "scope", "link");
    await sh("ip", "-n", guest, "addr", "add", "fe80::1234/64", "dev", "eth0", "nodad");
    assert.equal((await askAt(guest, url)).status, 404, "an address that tells no MAC");
  });

  test("DA-085: without a DHCP port that is up it listens over IPv4 only, and says so once", async () => {
    const network = makeNetwork();
    const blue = makeSubnet(network);
    const red = makeSubnet(network, { cidr: "2001:db8:1::/64", ipVersion: 6, gatewayIp: null });
    bench = new MetadataBench({ network, subnets: [blue, red], dhcpAddresses: ["10.20.0.2", "2001:db8:1::2"] });
    const view = bench.view();
    const down = { ...bench.dhcpPort, adminStateUp: false };
    const plan = planMetadata(view, down, { isolated: true, force: false, metadataNetwork: false });
    const device = await bench.setup(plan);

    await proxy.apply({ view, dhcpPort: down, device, plan });
    await proxy.apply({ view, dhcpPort: down, device, plan });

    assert.equal(proxy.metrics.listeners, 1);
    assert.deepEqual(lines, [{ level: "error", message: "metadata are served over ipv4 only" }]);
  });

  test("DA-086: where another host has the IPv6 address, ours is removed and IPv4 stays", async () => {
    const network = makeNetwork();
    const blue = makeSubnet(network);
    const red = makeSubnet(network, { cidr: "2001:db8:1::/64", ipVersion: 6, gatewayIp: null });
    bench = new MetadataBench({ network, subnets: [blue, red], dhcpAddresses: ["10.20.0.2", "2001:db8:1::2"] });
    const port = makePort([blue], ["10.20.0.9"], { deviceId: "instance-9" });
    await bench.setup(noMetadata);
    const guest = await bench.plug(port);
    await sh("ip", "-n", guest, "addr", "add", "fe80::a9fe:a9fe/64", "dev", "eth0", "nodad");

    await bench.apply(proxy, [port]);

    assert.equal(String((await ask(guest, "/latest/meta-data/instance-id")).body), "instance-9");
    assert.equal(proxy.metrics.listeners, 1);
    const left = await sh("ip", "-n", bench.namespace, "-6", "addr", "show", "to", "fe80::a9fe:a9fe");
    assert.equal(left, "");
    assert.deepEqual(
      lines.map(({ level }) => level),
      ["warn"],
    );
  });

  test("DA-082, DA-083: on a metadata network the instances behind its router are answered", async () => {
    const network = makeNetwork();
    const linkLocal = makeSubnet(network, { cidr: "169.254.169.240/28", gatewayIp: null });
    const behind = makeNetwork({ projectId: "p1" });
    const tenant = makeSubnet(behind, { cidr: "10.77.0.0/24", gatewayIp: "10.77.0.1" });
    const other = makeNetwork();
    const twin = makeSubnet(other, { cidr: "10.77.0.0/24", gatewayIp: "10.77.0.1" });
    const router = { deviceOwner: "network:router_interface", deviceId: "router-1" };
    const instance = makePort([tenant], ["10.77.0.9"], { deviceId: "behind-router" });
    const views = [
      makeView(other, [twin], [makePort([twin], ["10.77.0.9"], { deviceId: "elsewhere" })]),
      makeView(behind, [tenant], [makePort([tenant], ["10.77.0.1"], router), instance]),
    ];
    await proxy.close();
    proxy = await openProxy({}, recordingLogger(lines), { views: () => views });
    bench = new MetadataBench({ network, subnets: [linkLocal], dhcpAddresses: ["169.254.169.242"] });
    const joined = makePort([linkLocal], ["169.254.169.241"], { ...router, id: firstId() });
    const second = makePort([linkLocal], ["169.254.169.243"], { ...router, deviceId: "router-2", id: lastId() });

    const plan = await bench.apply(proxy, [joined, second], { metadataNetwork: true });

    assert.equal(plan.routerId, "router-1");
    const warnings = lines.filter(({ level }) => level === "warn");
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ["several routers on a metadata network, the first is served"],
    );
    // The router itself: it forwards what its instances ask, from their own addresses.
    const gateway = await bench.plug(joined);
    await sh("ip", "-n", gateway, "addr", "add", "10.77.0.9/32", "dev", "eth0");
    await sh("ip", "-n", bench.namespace, "route", "replace", "10.77.0.0/24", "via", "169.254.169.241");
    const reply = await ask(gateway, "/latest/meta-data/instance-id", "--interface", "10.77.0.9");
    assert.equal(String(reply.body), "behind-router");
    assert.equal((await ask(gateway, "/latest/meta-data/instance-id")).status, 404, "the router is no instance");

    await bench.apply(proxy, [joined], { isolated: false });
    assert.equal(proxy.metrics.networks, 0);
    await bench.apply(proxy, []);
    const forgotten = await ask(gateway, "/latest/meta-data/instance-id", "--interface", "10.77.0.9");
    assert.equal(forgotten.status, 404, "the router is forgotten");
  });
});

const firstId = (): Port["id"] => `00000000${crypto.randomUUID().slice(8)}` as Port["id"];
const lastId = (): Port["id"] => `ffffffff${crypto.randomUUID().slice(8)}` as Port["id"];

describe("many networks", { skip: skipWithoutRoot }, () => {
  const prefix = randomPrefix();
  const count = 100;
  const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);

  before(async () => {
    for (const name of names) {
      await createNamespace(name);
      await sh("ip", "-n", name, "link", "set", "lo", "up");
      await sh("ip", "-n", name, "addr", "add", "169.254.169.254/32", "dev", "lo");
    }
  });
  after(async () => {
    for (const name of names) await deleteNamespace(name);
  });

  /** A connection that a client has ended is there until this process has heard of it. */
  const waitForDescriptors = (wanted: number): Promise<unknown> =>
    waitFor(() => countDescriptors() === wanted, { limitMs: 10_000, what: `${wanted} descriptors` });

  test("applied and removed they leave no descriptor, and each has its own instances", async () => {
    const proxy = await openProxy();
    const before = countDescriptors();
    const desired = names.map((namespace, index) => {
      const network = makeNetwork();
      const subnet = makeSubnet(network);
      const port = makePort([subnet], ["169.254.169.254"], { deviceId: `instance-${index}` });
      const view = makeView(network, [subnet], [port]);
      const plan = { v4: true, v6: false, routedSubnetIds: new Set([subnet.id]) };
      return { view, dhcpPort: port, device: { namespace, interfaceName: "lo" }, plan };
    });

    for (let round = 0; round < 2; round += 1) {
      await Promise.all(desired.map(async (one) => proxy.apply(one)));
      await waitForDescriptors(before + count);
      const answers = await Promise.all([3, 98].map(async (n) => ask(names[n] ?? "", "/latest/meta-data/instance-id")));
      assert.deepEqual(
        answers.map(({ body }) => String(body)),
        ["instance-3", "instance-98"],
      );

      await Promise.all(desired.map(async ({ view }) => proxy.remove(view.network.id)));
      await waitForDescriptors(before);
    }
    await proxy.close();
    // Nor the way home.
    await waitForDescriptors(before - 1);
  });
});
