import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";
import { randomMac, skipWithoutRoot } from "../../../helpers/namespaces.ts";

describe("a lease from the real dnsmasq", { skip: skipWithoutRoot }, () => {
  const network = makeNetwork({ mtuBytes: 1437, dnsDomain: "blue.example.org." });
  const subnets = [makeSubnet(network, { dnsNameservers: ["9.9.9.9", "1.1.1.1"] })];
  const port = makePort(subnets, ["10.20.0.5"], { dnsName: "web" });
  let bench: DhcpBench;
  let instance: string;

  before(async () => {
    bench = await DhcpBench.create({ network, subnets });
    assert.equal(await bench.apply([port]), "started");
    instance = await bench.plug(port.macAddress);
  });
  after(async () => bench.close());

  for (const kind of ["udhcpc", "dhclient"] as const) {
    test(`${kind} gets what the model says`, async () => {
      const answer = await runDhcpClient(instance, "eth0", { kind });

      assert.equal(answer?.ipAddress, "10.20.0.5");
      assert.equal(answer.prefixOrMask, "255.255.255.0");
      assert.equal(answer.serverAddress, "10.20.0.2");
      assert.deepEqual(answer.routers, ["10.20.0.1"]);
      assert.deepEqual(answer.dnsServers, ["9.9.9.9", "1.1.1.1"]);
      assert.equal(answer.domain, "blue.example.org");
      assert.equal(answer.mtuBytes, 1437);
      assert.equal(answer.leaseSeconds, 86_400);
      assert.equal(answer.hostname, "web");
    });
  }

  test("a MAC that no port has gets no answer", async () => {
    const stranger = await bench.plug(randomMac());

    assert.equal(await runDhcpClient(stranger, "eth0", { limitMs: 3000 }), undefined);
  });
});
