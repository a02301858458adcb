// Metadata through routers: the real rules and listeners, a server that is a function.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { routerMetadataPort } from "../../../src/drivers/l3-layout.ts";
import type { NftRouterDriver } from "../../../src/drivers/nft-router/nft-router-driver.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { openRouterMetadataProxy } from "../../../src/metadata-proxy/open-proxy.ts";
import type { RouterMetadataProxy } from "../../../src/metadata-proxy/router-proxy.ts";
import type { MetadataSettings } from "../../../src/metadata-proxy/open-proxy.ts";
import type { NetworkView } from "../../../src/model/network.ts";
import type { RouterInterface } from "../../../src/model/router.ts";
import { makeNetwork, makePort, makeSubnet } from "../../helpers/dhcp-network.ts";
import { sh, skipWithoutRoot, waitForLinkLocal } from "../../helpers/namespaces.ts";
import { makeAddress, makeInterface, makeRouter } from "../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../helpers/router-scene.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const usual: MetadataSettings = { timeoutSeconds: 5, requestsPerSecond: 0, requestBurst: 1, sockets: "auto" };
const metadataUrl = "http://169.254.169.254";

describe("metadata through a router", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24"), makeAddress("2001:db8:2::1", "2001:db8:2::/64")]);
  const router = makeRouter({ interfaces: [red, blue] });
  let scene: RouterScene;
  let driver: NftRouterDriver;
  let proxy: RouterMetadataProxy;
  let service: Server | undefined;
  let one: Guest;
  let two: Guest;
  let questions: string[];
  let answers: Map<string, readonly NetworkView[] | Error>;

  const viewOf = (port: RouterInterface, address: string, deviceId: string): NetworkView => {
    const network = makeNetwork({ id: port.networkId });
    const subnet = makeSubnet(network, {
      cidr: port.addresses.find(({ ipVersion }) => address.includes(":") === (ipVersion === 6))?.cidr ?? "",
    });
    return { network, subnets: [subnet], ports: [makePort([subnet], [address], { deviceId, networkId: network.id })] };
  };
  const open = async (settings: Partial<MetadataSettings> = {}): Promise<void> => {
    proxy = await openRouterMetadataProxy(
      { ...usual, ...settings },
      {
        ...{ runner: processRunner(), log: silentLogger, port: routerMetadataPort },
        facts: { dnsDomain: "example", availabilityZone: "zone-1" },
        lookUp: async (id, address) => {
          assert.equal(id, router.id);
          questions.push(address);
          const answer = answers.get(address) ?? [];
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
    );
    await proxy.apply(router, driver.placeOf(router.id));
  };
  const curl = async (from: Guest, url: string, ...words: readonly string[]): Promise<{ status: number; body: string }> => {
    const argv = ["curl", "-sg", "-m", "15", "-w", "\n%{http_code}", ...words, url];
    const text = await sh("ip", "netns", "exec", from.namespace, ...argv).catch(() => "\n0");
    const end = text.lastIndexOf("\n");
    return { status: Number(text.slice(end + 1)), body: text.slice(0, end) };
  };

  beforeEach(async () => {
    questions = [];
    answers = new Map();
    scene = await RouterScene.open();
    driver = scene.driver();
    await driver.apply(router, { verify: false });
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
    answers.set("10.1.0.5", [viewOf(red, "10.1.0.5", "instance-1")]);
    answers.set("10.2.0.5", [viewOf(blue, "10.2.0.5", "instance-2")]);
  });
  afterEach(async () => {
    await proxy.close();
    service?.closeAllConnections();
    service?.close();
    service = undefined;
    await scene.remove();
  });

  for (const sockets of ["setns", "child"] as const) {
    test(`L3-74, L3-79: with ${sockets} each instance is told of itself, whichever of the router's networks it is on`, async () => {
      await open({ sockets });

      for (const [guest, id] of [
        [one, "instance-1"],
        [two, "instance-2"],
      ] as const) {
        const { status, body } = await curl(guest, `${metadataUrl}/openstack/latest/meta_data.json`);
        assert.equal(status, 200);
        assert.equal((JSON.parse(body) as { uuid: string }).uuid, id);
      }
      assert.deepEqual(questions, ["10.1.0.5", "10.2.0.5"]);
    });

    test(`with ${sockets} IPv6 is served at its link-local address`, async () => {
      await open({ sockets });
      const address = await waitForLinkLocal(two.namespace);
      const view = viewOf(blue, "2001:db8:2::5", "instance-2");
      const mac = (await sh("ip", "netns", "exec", two.namespace, "cat", "/sys/class/net/eth0/address")).trim();
      answers.set(address, [{ ...view, ports: view.ports.map((port) => ({ ...port, macAddress: mac })) }]);

      const { status, body } = await curl(two, "http://[fe80::a9fe:a9fe%25eth0]/latest/meta-data/instance-id");

      assert.equal(status, 200, body);
      assert.deepEqual(questions, [address]);
    });
  }

  test("L3-77, L3-78: none, or two instances with one address: nobody is told anything", async () => {
    await open();
    answers.delete("10.1.0.5");
    answers.set("10.2.0.5", [viewOf(red, "10.2.0.5", "instance-1"), viewOf(blue, "10.2.0.5", "instance-2")]);

    assert.equal((await curl(one, `${metadataUrl}/latest/meta-data/`)).status, 404);
    assert.equal((await curl(two, `${metadataUrl}/latest/meta-data/`)).status, 404);
  });

  test("many files are one question to the server; when it does not answer instances are told to come again", async () => {
    await open();
    for (const path of ["", "instance-id", "hostname", "local-ipv4"]) {
      assert.equal((await curl(one, `${metadataUrl}/latest/meta-data/${path}`)).status, 200);
    }
    assert.deepEqual(questions, ["10.1.0.5"]);
    answers.set("10.2.0.5", new NetloomError("UNAVAILABLE", "no server"));

    const refused = await curl(two, `${metadataUrl}/latest/meta-data/`, "-i");
    assert.equal(refused.status, 503);
    assert.match(refused.body, /retry-after: 1/i);
    answers.set("10.2.0.5", [viewOf(blue, "10.2.0.5", "instance-2")]);

    assert.equal((await curl(two, `${metadataUrl}/latest/meta-data/`)).status, 200);
  });

  test("nobody reaches the listener but by the metadata address, and what is sent there never leaves", async () => {
    const other = makeInterface([makeAddress("10.3.0.1", "10.3.0.0/24")]);
    const plain = makeRouter({ interfaces: [red, other] });
    await open();

    assert.equal((await curl(one, `http://10.1.0.1:${routerMetadataPort}/`, "-m", "1")).status, 0);
    assert.equal((await curl(one, `http://10.2.0.1:${routerMetadataPort}/`, "-m", "1")).status, 0);
    await driver.remove(router.id);
    await driver.apply(plain, { verify: false });

    // Nobody listens here: the request ends in the router.
    assert.equal((await curl(one, `${metadataUrl}/latest/`, "-m", "1")).status, 0);
    await driver.remove(plain.id);
    await driver.apply(router, { verify: false });
  });

  test("L3-76, L3-80: a service behind it is told the router, the instance and its project; two ids are refused, so is what it refuses", async () => {
    const socketPath = join(scene.directory.path, "upstream");
    const secretFile = join(scene.directory.path, "secret");
    await writeFile(secretFile, "s3cret", { mode: 0o600 });
    const heard: Record<string, unknown>[] = [];
    let isForbidden = false;
    service = createServer((incoming, response) => {
      heard.push(incoming.headers);
      response.statusCode = isForbidden ? 403 : 200;
      response.end("from the service");
    });
    await new Promise<void>((resolve) => service?.listen(socketPath, resolve));
    await open({ upstream: `unix:${socketPath}`, sharedSecretFile: secretFile });

    const lies = ["-H", "X-Neutron-Network-ID: evil", "-H", "X-Instance-ID: evil"];
    assert.equal((await curl(one, `${metadataUrl}/latest/`, ...lies)).body, "from the service");
    const both = ["-H", "X-Neutron-Network-ID: a", "-H", "X-Neutron-Router-ID: b"];
    assert.equal((await curl(one, `${metadataUrl}/latest/`, ...both)).status, 400);

    const [headers] = heard;
    assert.equal(heard.length, 1);
    isForbidden = true;
    assert.equal((await curl(one, `${metadataUrl}/latest/`)).status, 403);
    assert.equal(headers?.["x-neutron-router-id"], router.id);
    assert.equal(headers?.["x-neutron-network-id"], undefined);
    assert.equal(headers?.["x-instance-id"], "instance-1");
    assert.equal(headers?.["x-forwarded-for"], "10.1.0.5");
    assert.match(String(headers?.["x-instance-id-signature"]), /^[0-9a-f]{64}$/);
  });

  test("L3-81: an instance that asks too often is told so, others are not", async () => {
    await open({ requestsPerSecond: 0.01, requestBurst: 2 });

    const statuses: number[] = [];
    for (let n = 0; n < 3; n += 1) statuses.push((await curl(one, `${metadataUrl}/latest/meta-data/`)).status);

    assert.deepEqual(statuses, [200, 200, 429]);
    assert.equal((await curl(two, `${metadataUrl}/latest/meta-data/`)).status, 200);
  });

  test("L3-82: a namespace that was made anew gets its listener at the next reconcile; a router that goes takes it along", async () => {
    await open();
    await sh("ip", "netns", "del", scene.namespaceOf(router));
    await driver.apply(router, { verify: true });

    await proxy.apply(router, driver.placeOf(router.id));
    await waitFor(async () => (await curl(one, `${metadataUrl}/latest/meta-data/`)).status === 200, {
      ...{ limitMs: 10_000, what: "metadata" },
    });
    await proxy.remove(router.id);

    assert.equal(proxy.metrics.listeners, 0);
    assert.equal((await curl(one, `${metadataUrl}/latest/`, "-m", "1")).status, 0);
  });
});
