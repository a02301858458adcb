import assert from "node:assert/strict";
import { test } from "node:test";
import { urlRewriter } from "../../../../src/server/api/url-spellings.ts";
import { addressGroupResource } from "../../../../src/types/resources/address-groups.ts";
import { availabilityZoneResource } from "../../../../src/types/resources/availability-zones.ts";
import { networkResource } from "../../../../src/types/resources/networks.ts";
import { qosPolicyResource } from "../../../../src/types/resources/qos-policies.ts";

const rewrite = urlRewriter([networkResource, addressGroupResource, availabilityZoneResource, qosPolicyResource]);

const cases: readonly (readonly [string, string])[] = [
  ["/v2.0/address_groups", "/v2.0/address-groups"],
  ["/v2.0/address_groups?name=a_b", "/v2.0/address-groups?name=a_b"],
  ["/v2.0/address_groups/a_b/add_addresses", "/v2.0/address-groups/a_b/add_addresses"],
  ["/v2.0/address_groups.json?limit=1", "/v2.0/address-groups?limit=1"],
  ["/v2.0/availability-zones", "/v2.0/availability_zones"],
  ["/v2.0/networks/x.json", "/v2.0/networks/x"],
  ["/v2.0/networks/x/tags/a.json", "/v2.0/networks/x/tags/a.json"],
];

test("other spellings of a path are what is there", () => {
  for (const [sent, meant] of cases) assert.equal(rewrite(sent), meant);
});

test("everything else stays as it was sent", () => {
  for (const url of [
    "/",
    "/v2.0",
    "/v2.0/",
    "/v2.0?a=b",
    "/healthz",
    "/v2.0/address-groups",
    "/v2.0/qos/policies",
    "/v2.0/no_such",
    "*",
  ]) {
    assert.equal(rewrite(url), url);
  }
});
