import assert from "node:assert/strict";
import { test } from "node:test";
import { bridgeName, dhcpDeviceId, dhcpNamespaceName, namespaceDeviceName, tapName } from "../../../src/model/device-names.ts";
import { networkId, portId } from "../../../src/model/ids.ts";

const network = networkId("0d8f4a51-1c3e-4c0e-9f2b-6a1b2c3d4e5f");
const port = portId("7c6b5a49-3827-4165-8f0e-1d2c3b4a5968");

test("DA-190: the device id is made of the short host name, so that both spellings of a host are one agent", () => {
  // uuid5 of the DNS name space and "node-1", as any other implementation of RFC 4122 gives it.
  assert.equal(dhcpDeviceId("node-1", network), `dhcp9b3b6618-0449-5cf4-ba1a-1bd2727132bc-${network}`);
  assert.equal(dhcpDeviceId("node-1.example.org", network), dhcpDeviceId("node-1", network));
  assert.notEqual(dhcpDeviceId("node-2", network), dhcpDeviceId("node-1", network));
});

test("DA-191: names of devices are a prefix and the beginning of an id, 14 characters at most", () => {
  assert.equal(tapName(port), "tap7c6b5a49-38");
  assert.equal(namespaceDeviceName(port), "ns-7c6b5a49-38");
  assert.equal(bridgeName(network), "brq0d8f4a51-1c");
  for (const name of [tapName(port), namespaceDeviceName(port), bridgeName(network)]) assert.equal(name.length, 14);
  assert.equal(dhcpNamespaceName("", network), `qdhcp-${network}`);
});
