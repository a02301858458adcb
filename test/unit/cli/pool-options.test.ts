import assert from "node:assert/strict";
import { test } from "node:test";
import { attributeOptions } from "../../../src/cli/attribute-options.ts";
import { attributeValue } from "../../../src/cli/attribute-values.ts";
import type { ResourceDeclaration } from "../../../src/types/resources/declaration.ts";
import { subnetPoolResource } from "../../../src/types/resources/subnet-pools.ts";
import { subnetResource } from "../../../src/types/resources/subnets.ts";

const resolve = async (kind: string, name: string): Promise<string> => `${kind}:${name}`;

function option(resource: ResourceDeclaration, flag: string) {
  return attributeOptions(resource, "post").find((one) => one.flag === flag) ?? assert.fail(`no option --${flag}`);
}

test("pools and scopes are named, and one of several prefixes is a prefix", async () => {
  assert.deepEqual(await attributeValue(option(subnetPoolResource, "prefix"), ["10.0.0.0/8"], resolve), ["10.0.0.0/8"]);
  const scope = option(subnetPoolResource, "address-scope");
  assert.equal(await attributeValue(scope, "office", resolve), "address-scope:office");
  assert.equal(await attributeValue(scope, "none", resolve), null);
  assert.equal(await attributeValue(option(subnetResource, "subnetpool"), "lab", resolve), "subnetpool:lab");
});

test("the block of a subnet need not be named, and no two options are the same", () => {
  assert.equal(option(subnetResource, "cidr").isRequired, false);
  for (const resource of [subnetResource, subnetPoolResource]) {
    const flags = attributeOptions(resource, "post").map((one) => one.flag);
    assert.equal(new Set(flags).size, flags.length, flags.join(" "));
  }
});
