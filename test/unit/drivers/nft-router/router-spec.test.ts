import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { buildRouterSpec, type RouterSpec } from "../../../../src/drivers/nft-router/router-spec.ts";
import type { Carrier } from "../../../../src/model/router.ts";
import { makeAddress, makeGateway, makeRouter } from "../../../helpers/router-items.ts";

const options = { namespacePrefix: "", bridgeMappings: new Map([["public", "br-ex"]]), hasIpv6: true, hasRadvd: true };
const addresses = [makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: "203.0.113.254" })];

const specBy = (carrier: Carrier): RouterSpec =>
  buildRouterSpec(makeRouter({ gateway: makeGateway(addresses, { carrier }) }), options);

test("a flat external network is joined by the bridge that is mapped to it", () => {
  const spec = specBy({ networkType: "flat", physicalNetwork: "public", segmentationId: null });

  assert.deepEqual([spec.gateway?.bridge, spec.gateway?.isForeignBridge], ["br-ex", true]);
});

test("a VLAN is refused and not joined untagged, although its physical network has a bridge", () => {
  assert.throws(
    () => specBy({ networkType: "vlan", physicalNetwork: "public", segmentationId: 100 }),
    (thrown: unknown) =>
      thrown instanceof NetloomError && thrown.code === "INVALID" && /VLAN 100 of public/.test(thrown.message),
  );
});
