// What the proxy makes of requests, with and without a metadata service behind it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { MetadataProxy } from "../../../src/metadata-proxy/metadata-proxy.ts";
import type { MetadataSettings } from "../../../src/metadata-proxy/open-proxy.ts";
import type { Port } from "../../../src/model/network.ts";
import { firstOutput } from "../../helpers/children.ts";
import { makePort } from "../../helpers/dhcp-network.ts";
import { ask, MetadataBench, openProxy } from "../../helpers/metadata-bench.ts";
import { createTestDirectory, sh, skipWithoutRoot, type TestDirectory } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const secret = "correct horse";

describe("requests to the metadata address", { skip: skipWithoutRoot }, () => {
  const bench = new MetadataBench();
  const port: Port = makePort(bench.subnets, ["10.20.0.9"], { deviceId: "instance-9", projectId: "project-9" });
  const nameless = makePort(bench.subnets, ["10.20.0.10"]);
  let directory: TestDirectory;
  let guest: string;
  let proxy: MetadataProxy | undefined;
  let service: Server | undefined;
  const heard: IncomingMessage[] = [];

  before(async () => {
    directory = await createTestDirectory();
    await writeFile(join(directory.path, "secret"), `${secret}\n`, { mode: 0o600 });
    await bench.setup({ v4: false, v6: false, routedSubnetIds: new Set() });
    guest = await bench.plug(port);
    await sh("ip", "-n", guest, "addr", "add", "10.20.0.10/24", "dev", "eth0");
    await sh("ip", "-n", guest, "addr", "add", "10.20.0.77/24", "dev", "eth0");
  });
  afterEach(async () => {
    await proxy?.close();
    service?.closeAllConnections();
    await new Promise<void>((resolve) => {
      if (service === undefined) resolve();
      else service.close(() => resolve());
    });
    [proxy, service] = [undefined, undefined];
    heard.length = 0;
  });
  after(async () => {
    await bench.close();
    await directory.remove();
  });

  /** A metadata service on a Unix socket, and a proxy before it. */
  const serve = async (listener: RequestListener, settings: Partial<MetadataSettings> = {}): Promise<void> => {
    const socketPath = join(directory.path, "upstream");
    service = createServer((incoming, response) => {
      heard.push(incoming);
      listener(incoming, response);
    });
    await new Promise<void>((resolve) => {
      service?.listen(socketPath, resolve);
    });
    await start({ upstream: `unix:${socketPath}`, sharedSecretFile: join(directory.path, "secret"), ...settings });
  };
  const start = async (settings: Partial<MetadataSettings> = {}): Promise<void> => {
    proxy = await openProxy(settings);
    await bench.apply(proxy, [port, nameless]);
  };
  const echo: RequestListener = (_, response) => response.end("from the service");

  test("DA-094: the service is told the network, the instance and its project, signed; the guest cannot", async () => {
    await serve(echo);

    const lies = ["X-Neutron-Network-ID: evil", "x_instance_id: evil", "X-Quantum-Network-Id: evil", "X-Tenant-ID: evil"];
    const hop = [
      "Connection: X-Hop",
      "X-Hop: evil",
      "X-Instance-ID-Signature: evil",
      "X-Forwarded-For: 192.0.2.7",
      "X-Own: kept",
    ];
    const reply = await ask(guest, "/latest/user-data?a=b", ...[...lies, ...hop].flatMap((line) => ["-H", line]));

    assert.equal(reply.status, 200);
    assert.equal(String(reply.body), "from the service");
    const [request] = heard;
    assert.ok(request);
    assert.equal(request.url, "/latest/user-data?a=b");
    assert.doesNotMatch(request.rawHeaders.join("\n"), /evil/);
    const { headers } = request;
    assert.equal(headers["x-neutron-network-id"], bench.network.id);
    assert.equal(headers["x-neutron-router-id"], undefined);
    assert.equal(headers["x-instance-id"], "instance-9");
    assert.equal(headers["x-tenant-id"], "project-9");
    assert.equal(headers["x-instance-id-signature"], createHmac("sha256", secret).update("instance-9").digest("hex"));
    assert.equal(headers["x-forwarded-for"], "192.0.2.7, 10.20.0.9");
    assert.equal(headers["x-own"], "kept");
  });

  test("DA-095: who claims a network and a router at once is refused", async () => {
    await serve(echo);

    const both = await ask(guest, "/", "-H", "X-Neutron-Network-ID: a", "-H", "X-Neutron-Router-ID: b");

    assert.equal(both.status, 400);
    assert.equal(heard.length, 0);
  });

  test("DA-095: an address of no instance gets 404, also a port that no instance was named for", async () => {
    await serve(echo);

    assert.equal((await ask(guest, "/", "--interface", "10.20.0.77")).status, 404);
    assert.equal((await ask(guest, "/", "--interface", "10.20.0.10")).status, 404);
    assert.equal(heard.length, 0);
  });

  for (const status of [403, 404, 500]) {
    test(`DA-095: ${status} of the service is passed through with its body`, async () => {
      await serve((_, response) => response.writeHead(status, { "x-reason": "its own" }).end(`says ${status}`));

      const reply = await ask(guest, "/latest/meta-data");

      assert.equal(reply.status, status);
      assert.equal(String(reply.body), `says ${status}`);
      assert.match(reply.headers, /x-reason: its own/i);
    });
  }

  test("DA-095: while the service is down the answer is 503, and 200 when it is back", async () => {
    await start({ upstream: `unix:${join(directory.path, "nobody")}` });
    assert.equal((await ask(guest, "/latest/meta-data")).status, 503);
    assert.equal(proxy?.metrics.requests.get(503), 1);
    await proxy?.close();

    await start({ upstream: "http://127.0.0.1:9" });
    assert.equal((await ask(guest, "/latest/meta-data")).status, 503);
    await proxy?.close();

    await serve(echo);
    assert.equal((await ask(guest, "/latest/meta-data")).status, 200);
  });

  test("a service that says nothing for the time limit is given up with 503", async () => {
    await serve(() => {}, { timeoutSeconds: 1 });

    assert.equal((await ask(guest, "/latest/meta-data")).status, 503);
  });

  test("a service that breaks off in the middle breaks the guest's connection, and the next request works", async () => {
    let calls = 0;
    await serve((_, response) => {
      calls += 1;
      if (calls > 1) return void response.end("whole");
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.socket?.destroy());
    });

    await assert.rejects(ask(guest, "/"), /curl: \((18|52|56)\)/);
    assert.equal(String((await ask(guest, "/")).body), "whole");
  });

  test("DA-095: an empty body, gzip and bytes that are no UTF-8 arrive as they are", async () => {
    const zipped = gzipSync(Buffer.from("#cloud-config\n"));
    const bytes = Buffer.from([0x00, 0xff, 0xfe, 0x80, 0x0a, 0xc3, 0x28, 0x0d, 0x0a]);
    await serve((incoming, response) => {
      if (incoming.url === "/gzip") response.writeHead(200, { "content-encoding": "gzip" }).end(zipped);
      else if (incoming.url === "/bytes") response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      else response.end();
    });

    const empty = await ask(guest, "/empty");
    const gzip = await ask(guest, "/gzip", "-H", "Accept-Encoding: gzip");
    const binary = await ask(guest, "/bytes");

    assert.deepEqual([empty.status, empty.body.length], [200, 0]);
    assert.match(gzip.headers, /content-encoding: gzip/i);
    assert.deepEqual(gzip.body, zipped);
    assert.deepEqual(binary.body, bytes);
  });

  test("bodies stream both ways, and over HTTP the service is called by its own name", async () => {
    const sent = randomBytes(3 * 1024 * 1024);
    await writeFile(join(directory.path, "body"), sent);
    const host: (string | undefined)[] = [];
    const echoing = createServer((incoming, response) => {
      host.push(incoming.headers.host);
      response.writeHead(200, { "content-length": incoming.headers["content-length"] ?? "" });
      incoming.pipe(response);
    });
    service = echoing;
    const listening = await new Promise<number>((resolve) => {
      echoing.listen(0, "127.0.0.1", () => resolve((echoing.address() as { port: number }).port));
    });
    await start({ upstream: `http://127.0.0.1:${listening}` });

    const reply = await ask(guest, "/openstack/latest/password", "--data-binary", `@${join(directory.path, "body")}`);

    assert.equal(reply.status, 200);
    assert.ok(reply.body.equals(sent));
    assert.deepEqual(host, [`127.0.0.1:${listening}`]);
  });

  test("headers of more than 8 kB are refused", async () => {
    await start();

    assert.equal((await ask(guest, "/", "-H", `X-Long: ${"x".repeat(9000)}`)).status, 431);
    assert.equal((await ask(guest, "/", "-H", `X-Long: ${"x".repeat(7000)}`)).status, 200);
  });

  test("a request that does not arrive within the limit is ended", async () => {
    await start({ timeoutSeconds: 1 });

    const drip = "printf 'GET / HTTP/1.1\\r\\n'; for i in $(seq 60); do printf 'X-A: b\\r\\n'; sleep 0.2; done";
    const talk = `(${drip}) | curl -sS -m 15 telnet://169.254.169.254:80 || true`;
    const answer = await sh("nsenter", `--net=/run/netns/${guest}`, "sh", "-c", talk);

    assert.match(answer, /^HTTP\/1.1 408 /);
    await waitFor(() => proxy?.metrics.connections === 0, { limitMs: 10_000, what: "the connection to end" });
  });

  test("one guest holds at most 32 connections, so that there are some left for the others", async () => {
    await start();
    const script =
      "use IO::Socket::INET; my @held = map { IO::Socket::INET->new('169.254.169.254:80') } 1 .. 60; $| = 1; print 'held'; sleep 60";
    const child = spawn("nsenter", [`--net=/run/netns/${guest}`, "perl", "-e", script], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      await firstOutput(child, /held/);

      await waitFor(() => proxy?.metrics.connections === 32, { limitMs: 10_000, what: "32 connections and no more" });
    } finally {
      child.kill("SIGKILL");
    }
    await waitFor(() => proxy?.metrics.connections === 0, { limitMs: 10_000, what: "the end of the connections" });
    assert.equal((await ask(guest, "/")).status, 200);
  });

  test("who asks too often gets 429 and a hint, others do not, and later it may again", async () => {
    // Eight requests of a busy machine must not take so long that each finds a new allowance.
    await start({ requestsPerSecond: 0.5, requestBurst: 3 });

    const replies = await sh("nsenter", `--net=/run/netns/${guest}`, "sh", "-c", manyRequests);

    const statuses = replies.trim().split(/\s+/);
    assert.equal(statuses.filter((status) => status === "200").length >= 3, true);
    assert.ok(statuses.includes("429"));
    assert.equal((await ask(guest, "/", "--interface", "10.20.0.10")).status, 200, "another address has its own measure");
    await waitFor(async () => (await ask(guest, "/")).status === 200, { limitMs: 10_000, what: "to be let in again" });
  });

  test("without a service EC2 and OpenStack readers find the instance, and 404 for what it has not", async () => {
    await start();

    const text = async (path: string): Promise<string> => String((await ask(guest, path)).body);
    assert.equal(await text("/2009-04-04/meta-data/instance-id"), "instance-9");
    assert.match(await text("/openstack"), /^2012-08-10\n[^]*\nlatest$/);
    assert.equal(JSON.parse(await text("/openstack/latest/meta_data.json")).uuid, "instance-9");
    assert.equal((await ask(guest, "/latest/user-data")).status, 404);
    assert.equal((await ask(guest, "/openstack/latest/user_data")).status, 404);
    assert.equal((await ask(guest, "/latest/api/token", "-X", "PUT")).status, 405);
    const named = await ask(guest, "/latest/meta-data/instance-id", "--interface", "10.20.0.10");
    assert.equal(String(named.body), nameless.id, "a port without an instance stands for itself");
  });

  test("a secret that others can read, or none, is not accepted", async () => {
    const file = join(directory.path, "open-secret");
    await writeFile(file, "x");
    await chmod(file, 0o644);

    await assert.rejects(openProxy({ sharedSecretFile: file }), { code: "INVALID", message: /chmod 600/ });
    await assert.rejects(openProxy({ sharedSecretFile: join(directory.path, "no") }), { code: "INVALID" });
  });
});

const manyRequests = "curl -s -o /dev/null -w '%{http_code} ' 'http://169.254.169.254/?[1-8]'";
