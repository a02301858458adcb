import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { agentResource } from "../../../../src/types/resources/agents.ts";
import { availabilityZoneResource } from "../../../../src/types/resources/availability-zones.ts";
import { attributeOf } from "../../../../src/types/resources/declaration.ts";
import { floatingIpResource } from "../../../../src/types/resources/floating-ips.ts";
import { leaseResource } from "../../../../src/types/resources/leases.ts";
import { networkResource } from "../../../../src/types/resources/networks.ts";
import { portForwardingResource } from "../../../../src/types/resources/port-forwardings.ts";
import { portResource } from "../../../../src/types/resources/ports.ts";
import { routerResource } from "../../../../src/types/resources/routers.ts";
import { subnetResource } from "../../../../src/types/resources/subnets.ts";

const resources = [
  ...[networkResource, subnetResource, portResource, agentResource, leaseResource],
  ...[routerResource, floatingIpResource, portForwardingResource, availabilityZoneResource],
];
const attributes = resources.flatMap((resource) =>
  Object.entries(resource.attributes).map(([name, attribute]) => ({ resource, name, attribute })),
);

test("every default is already the canonical value of its attribute", () => {
  for (const { resource, name, attribute } of attributes.filter((each) => each.attribute.default !== undefined)) {
    assert.deepEqual(attribute.schema.parse(attribute.default), attribute.default, `${resource.name}.${name}`);
  }
});

test("what must be sent can be sent and has no default", () => {
  for (const { resource, name, attribute } of attributes.filter((each) => each.attribute.required === true)) {
    assert.ok(attribute.post && attribute.default === undefined, `${resource.name}.${name}`);
  }
});

test("a second name stands for an attribute of the same resource and has the same rules", () => {
  const aliases = attributes.filter((each) => each.attribute.aliasOf !== undefined);
  assert.ok(aliases.length >= 3);

  for (const { resource, name, attribute } of aliases) {
    const first = attributeOf(resource, attribute.aliasOf ?? "");
    assert.ok(first !== undefined && first.aliasOf === undefined, `${resource.name}.${name}`);
    assert.deepEqual(
      [attribute.post, attribute.put, attribute.filter, attribute.sort],
      [first.post, first.put, first.filter, first.sort],
    );
  }
});

test("every attribute has a JSON Schema that says what may be sent, and a description", () => {
  for (const { resource, name, attribute } of attributes) {
    const schema = z.toJSONSchema(attribute.schema, { io: "input" });
    const says = Object.keys(schema).some((key) => ["type", "enum", "anyOf"].includes(key));
    assert.ok(says, `${resource.name}.${name}: ${JSON.stringify(schema)}`);
    assert.match(attribute.description, /^\S.*\.$/);
  }
});

test("resources that cannot be changed have no attribute that can", () => {
  for (const { resource, name, attribute } of attributes) {
    if (!resource.canCreate) assert.equal(attribute.post, false, `${resource.name}.${name}`);
    if (!resource.canUpdate) assert.equal(attribute.put, false, `${resource.name}.${name}`);
  }
});

test("names of Object.prototype are no attributes", () => {
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    assert.equal(attributeOf(portResource, name), undefined);
  }
});
