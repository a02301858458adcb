import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Instance } from "../../../src/metadata-proxy/instance.ts";
import { findInstance } from "../../../src/metadata-proxy/instance.ts";
import { claimsBothIds, endToEndHeaders, signInstance, upstreamHeaders } from "../../../src/metadata-proxy/request-headers.ts";
import { makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const network = makeNetwork();
const subnet = makeSubnet(network);
const view = makeView(network, [subnet], [makePort([subnet], ["10.20.0.9"], { deviceId: "i-1", projectId: "p-1" })]);

function instance(): Instance {
  const found = findInstance([view], "10.20.0.9");
  assert.ok(found);
  return found;
}

const claim = { networkId: network.id, routerId: undefined, source: "10.20.0.9", secret: undefined };
const named = (headers: readonly (readonly [string, string])[]): Map<string, string> =>
  new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));

describe("headers to the metadata service", () => {
  for (const lie of [
    "X-Neutron-Network-ID",
    "x-neutron-router-id",
    "X-QUANTUM-Network-ID",
    "X_Neutron_Network_ID",
    "X-OVN-Network-ID",
    "X-Instance-ID",
    "X-Instance-ID-Signature",
    "X_Tenant_ID",
    "X-Project-Id",
    "X-Metadata-Provider-Signature",
  ]) {
    test(`DA-094: a guest's ${lie} is dropped`, () => {
      const headers = upstreamHeaders([lie, "evil"], { ...claim, instance: instance() });

      assert.doesNotMatch(JSON.stringify(headers), /evil/);
    });
  }

  test("DA-094: behind a router the router is named and not the network", () => {
    const headers = named(upstreamHeaders([], { ...claim, routerId: "router-1", instance: instance() }));

    assert.equal(headers.get("x-neutron-router-id"), "router-1");
    assert.equal(headers.has("x-neutron-network-id"), false);
  });

  test("DA-094: the source is put after what the guest says it was forwarded for", () => {
    const raw = ["X-Forwarded-For", "192.0.2.1", "x_forwarded_for", "192.0.2.2"];

    const headers = named(upstreamHeaders(raw, { ...claim, instance: instance() }));

    assert.equal(headers.get("x-forwarded-for"), "192.0.2.1, 192.0.2.2, 10.20.0.9");
  });

  test("without a secret nothing is signed; with one the signature is HMAC-SHA256 in hex", () => {
    assert.equal(named(upstreamHeaders([], { ...claim, instance: instance() })).has("x-instance-id-signature"), false);
    // RFC 4231, test case 2.
    assert.equal(
      signInstance(Buffer.from("Jefe"), "what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });

  test("what concerns one connection ends there, with the headers that Connection names", () => {
    const raw = [
      "Connection",
      "close, X-Hop",
      "X-Hop",
      "1",
      "TE",
      "trailers",
      "Upgrade",
      "h2c",
      "Accept",
      "*/*",
      "ACCEPT",
      "b",
    ];

    assert.deepEqual(endToEndHeaders(raw), [
      ["Accept", "*/*"],
      ["ACCEPT", "b"],
    ]);
  });

  test("DA-095: both ids are a contradiction, in whatever spelling; one is only a lie", () => {
    assert.equal(claimsBothIds(["X-Neutron-Network-ID", "a", "x_quantum_router_id", "b"]), true);
    assert.equal(claimsBothIds(["X-Neutron-Network-ID", "a"]), false);
    assert.equal(claimsBothIds(["X-Neutron-Router-ID", "a"]), false);
  });
});
