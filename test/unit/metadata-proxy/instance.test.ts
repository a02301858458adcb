import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findInstance } from "../../../src/metadata-proxy/instance.ts";
import { makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const network = makeNetwork({ projectId: "p-net" });
const subnet = makeSubnet(network);
const subnet6 = makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6 });
const port = makePort([subnet, subnet6], ["10.20.0.9", "2001:db8::9"], { deviceId: "i-1", macAddress: "fa:16:3e:12:34:56" });
const view = makeView(network, [subnet, subnet6], [port]);

describe("findInstance", () => {
  test("finds by IPv4 and by IPv6 address, however that is written", () => {
    assert.equal(findInstance([view], "10.20.0.9")?.id, "i-1");
    assert.equal(findInstance([view], "2001:0db8:0::9")?.id, "i-1");
    assert.equal(findInstance([view], "10.20.0.8"), undefined);
    assert.equal(findInstance([view], "nonsense"), undefined);
  });

  test("DA-096: finds by the MAC inside a link-local address, and not by another link-local address", () => {
    assert.equal(findInstance([view], "fe80::f816:3eff:fe12:3456")?.id, "i-1");
    assert.equal(findInstance([view], "fe80::f816:3eff:fe12:3457"), undefined);
    assert.equal(findInstance([view], "fe80:1::f816:3eff:fe12:3456"), undefined);
  });

  test("ports of services are no instances", () => {
    const service = makePort([subnet], ["10.20.0.5"], { deviceOwner: "network:router_interface", deviceId: "router-1" });

    assert.equal(findInstance([makeView(network, [subnet], [service])], "10.20.0.5"), undefined);
  });

  test("a port without a device id stands for itself", () => {
    const bare = makePort([subnet], ["10.20.0.5"]);

    const found = findInstance([makeView(network, [subnet], [bare])], "10.20.0.5");

    assert.equal(found?.id, bare.id);
    assert.equal(found?.hasDeviceId, false);
  });

  test("the project is the port's, and the network's where an old server does not tell", () => {
    const shared = makePort([subnet], ["10.20.0.5"], { deviceId: "i-2", projectId: "p-port" });
    const both = makeView(network, [subnet], [shared, port]);

    assert.equal(findInstance([both], "10.20.0.5")?.projectId, "p-port");
    assert.equal(findInstance([both], "10.20.0.9")?.projectId, "p-net");
  });

  test("ports of the same instance on other networks are its too, those of other projects are not", () => {
    const other = makeNetwork({ projectId: "p-net" });
    const otherSubnet = makeSubnet(other, { cidr: "10.30.0.0/24" });
    const second = makePort([otherSubnet], ["10.30.0.9"], { deviceId: "i-1" });
    const stranger = makePort([otherSubnet], ["10.30.0.10"], { deviceId: "i-1", projectId: "evil" });
    const elsewhere = makeView(other, [otherSubnet], [second, stranger]);

    const found = findInstance([view], "10.20.0.9", [view, elsewhere]);

    assert.deepEqual(
      found?.ports.map((one) => one.port.id),
      [port.id, second.id],
    );
  });
});
