// The OpenAPI document against the server that serves it: it names every route, its references lead somewhere, and what the
// server answers is what the document says.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { RealApi } from "../../helpers/real-api.ts";

type Json = Readonly<Record<string, unknown>>;

let api: RealApi;
let document: Json;
before(async () => {
  api = await RealApi.open();
  const answer = await api.ask("/openapi.json", { headers: { "x-project-id": "blue" } });
  assert.equal(answer.status, 200, answer.text);
  document = answer.body;
});
after(() => api.close());

const part = (value: unknown, ...keys: readonly string[]): unknown =>
  keys.reduce<unknown>((inside, key) => (inside as Json | undefined)?.[key], value);
const pathsOf = (): readonly (readonly [string, Json])[] => Object.entries(part(document, "paths") as Record<string, Json>);
const operationsOf = (path: Json): readonly (readonly [string, Json])[] =>
  Object.entries(path as Record<string, Json>).filter(([verb]) => verb !== "parameters");

/** The schema with every reference replaced by what it refers to. */
function resolved(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(resolved);
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref } = schema as { readonly $ref?: unknown };
  if (typeof $ref === "string") {
    const target = part(document, ...$ref.slice(2).split("/"));
    assert.notEqual(target, undefined, $ref);
    return resolved(target);
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value)]));
}

const answerSchema = (path: string, verb: string, status: number): unknown =>
  part(document, "paths", path, verb, "responses", String(status), "content", "application/json", "schema");

function assertFits(path: string, verb: string, { status, body }: { readonly status: number; readonly body: unknown }): void {
  const schema = resolved(answerSchema(path, verb, status));
  assert.notEqual(schema, undefined, `${verb} ${path} ${status}`);
  const result = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body);
  assert.ok(result.success, `${verb} ${path}: ${result.error?.message}`);
}

describe("the OpenAPI document", () => {
  test("names every route and says of each what it is for", () => {
    for (const [path, operations] of pathsOf()) {
      for (const [verb, operation] of operationsOf(operations)) {
        assert.doesNotMatch(String(operation["summary"]), /without a description/, `${verb} ${path}`);
        const responses = Object.keys(operation["responses"] as Json);
        assert.ok(responses.includes("default") && responses.length > 1, `${verb} ${path}`);
      }
    }
    assert.ok(pathsOf().length > 30);
  });

  test("declares the parameters of its paths, and has no reference to nowhere", () => {
    for (const [path, operations] of pathsOf()) {
      const declared = ((operations["parameters"] ?? []) as readonly { readonly name: string }[]).map(({ name }) => name);
      assert.deepEqual(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      );
    }
    resolved(document);
  });

  test("has the attributes, filters and sort keys of a port", () => {
    const create = resolved(part(document, "components", "schemas", "PortCreate")) as Json;
    assert.deepEqual(create["required"], ["network_id"]);
    assert.equal(part(create, "properties", "device_id", "type"), "string");
    assert.equal(part(create, "properties", "status"), undefined);
    const parameters = part(document, "paths", "/v2.0/ports", "get", "parameters") as readonly { readonly name: string }[];
    const names = parameters.map(({ name }) => name);
    for (const name of ["fields", "limit", "marker", "sort_key", "changed_since", "mac_address", "fixed_ips"]) {
      assert.ok(names.includes(name), name);
    }
  });

  test("describes what the server answers", async () => {
    const network = await api.create("network", { name: "blue" });
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    await api.create("router", { name: "edge" });
    const port = { method: "POST", body: { port: { network_id: network.id } } } as const;
    assertFits("/v2.0/ports", "post", await api.ask("/v2.0/ports", port));
    const ports = { method: "POST", body: { ports: [{ network_id: network.id }, { network_id: network.id }] } } as const;
    assertFits("/v2.0/ports", "post", await api.ask("/v2.0/ports", ports));
    for (const collection of ["networks", "subnets", "ports", "routers"]) {
      assertFits(`/v2.0/${collection}`, "get", await api.ask(`/v2.0/${collection}`));
    }
    const change = { method: "PUT", body: { network: { name: "red" } } } as const;
    assertFits("/v2.0/networks/{id}", "put", await api.ask(`/v2.0/networks/${network.id}`, change));
  });

  test("every list that is empty or not fits it", async () => {
    for (const [path, operations] of pathsOf()) {
      if (path.includes("{") || !path.startsWith("/v2.0/") || operations["get"] === undefined) continue;
      assertFits(path, "get", await api.ask(path));
    }
  });

  test("describes a fault", async () => {
    const answer = await api.ask("/v2.0/networks/nothing");
    const schema = resolved(part(document, "components", "schemas", "Fault"));
    assert.ok(z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(answer.body).success);
    assert.equal(answer.status, 404);
  });
});
