// What may be sent in bodies, for every attribute of every declaration: nothing here names an attribute twice.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { z } from "zod";
import { agentResource } from "../../../../src/types/resources/agents.ts";
import type { AttributeDeclaration, ResourceDeclaration } from "../../../../src/types/resources/declaration.ts";
import { networkResource } from "../../../../src/types/resources/networks.ts";
import { rulesOf } from "../../../../src/types/resources/policy.ts";
import { portResource } from "../../../../src/types/resources/ports.ts";
import { subnetResource } from "../../../../src/types/resources/subnets.ts";
import { FakeApi, faultOf } from "../../../helpers/fake-api.ts";

const id = "11111111-2222-3333-4444-555555555555";
const required: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  network: {},
  subnet: { network_id: id, ip_version: 4, cidr: "10.0.0.0/24" },
  port: { network_id: id },
  agent: {},
};
const resources = [networkResource, subnetResource, portResource, agentResource];

const api = new FakeApi();
after(() => api.close());
beforeEach(() => {
  for (const { collection } of resources) api.service(collection).calls.length = 0;
});

/** Values that no attribute of that JSON Schema takes. */
function wrongValues(attribute: AttributeDeclaration): readonly unknown[] {
  const schema = z.toJSONSchema(attribute.schema, { io: "input" });
  const first = schema.anyOf?.[0];
  const plain = typeof first === "object" ? first : schema;
  const always = [{ "no such key": [] }, [[]], "\u0000"];
  if (plain.type === "object") return [[], "text", 5, [[]]];
  if (plain.type === "array") return [...always, 5, true, [null]];
  if (plain.type === "boolean") return [...always, 5, "maybe"];
  if (plain.type === "integer") return [...always, "four", 1.5, true, -1, 1e300];
  return [...always, 5, true];
}

function attributesOf(resource: ResourceDeclaration): readonly (readonly [string, AttributeDeclaration])[] {
  return Object.entries(resource.attributes);
}

for (const resource of resources) {
  const { name: kind, collection, attributes } = resource;
  const path = `/v2.0/${collection}`;
  const base = required[kind] ?? {};

  if (resource.canCreate) {
    for (const [name, attribute] of attributesOf(resource).filter(([, each]) => each.post)) {
      test(`POST ${kind} refuses wrong values of ${name} and creates nothing`, async () => {
        for (const wrong of wrongValues(attribute)) {
          const fault = faultOf(await api.ask(path, { method: "POST", body: { [kind]: { ...base, [name]: wrong } } }));

          assert.deepEqual([fault.status, fault.type], [400, "HTTPBadRequest"], JSON.stringify(wrong));
          assert.match(fault.message, new RegExp(`^Invalid input for ${name}\\. Reason: .`));
        }
        assert.deepEqual(api.service(collection).writes, []);
      });
    }

    for (const [name] of attributesOf(resource).filter(([, each]) => !each.post)) {
      test(`POST ${kind} refuses ${name}, which the server gives`, async () => {
        const fault = faultOf(await api.ask(path, { method: "POST", body: { [kind]: { ...base, [name]: "x" } } }));

        assert.deepEqual([fault.status, fault.message], [400, `Attribute '${name}' not allowed in POST.`]);
        assert.deepEqual(api.service(collection).writes, []);
      });
    }

    for (const [name] of attributesOf(resource).filter(([, each]) => each.required === true)) {
      test(`POST ${kind} asks for ${name}`, async () => {
        const { [name]: _left, ...rest } = base;

        const fault = faultOf(await api.ask(path, { method: "POST", body: { [kind]: rest } }));

        assert.deepEqual([fault.status, fault.type], [400, "HTTPBadRequest"]);
        assert.match(fault.message, new RegExp(`Required attribute '${name}' not specified`));
      });
    }

    test(`POST ${kind} fills in every default and the caller's project`, async () => {
      const answer = await api.ask(path, { method: "POST", body: { [kind]: base }, headers: { "x-project-id": "blue" } });

      assert.equal(answer.status, 201);
      const defaults = attributesOf(resource).filter(([, each]) => each.default !== undefined);
      const expected = {
        ...base,
        ...Object.fromEntries(defaults.map(([name, each]) => [name, each.default])),
        project_id: "blue",
      };
      assert.deepEqual(api.service(collection).writes[0]?.arguments, [[expected]]);
    });
  }

  for (const [name] of attributesOf(resource).filter(([, each]) => !each.put)) {
    test(`PUT ${kind} refuses ${name}, which cannot be changed`, async () => {
      const fault = faultOf(await api.ask(`${path}/${id}`, { method: "PUT", body: { [kind]: { [name]: "x" } } }));

      assert.deepEqual([fault.status, fault.message], [400, `Cannot update read-only attribute '${name}'.`]);
      assert.deepEqual(api.service(collection).writes, []);
    });
  }

  for (const [name, attribute] of attributesOf(resource).filter(([, each]) => each.put)) {
    test(`PUT ${kind} refuses wrong values of ${name} and changes nothing`, async () => {
      for (const wrong of wrongValues(attribute)) {
        const fault = faultOf(await api.ask(`${path}/${id}`, { method: "PUT", body: { [kind]: { [name]: wrong } } }));
        assert.equal(fault.status, 400, JSON.stringify(wrong));
      }
      assert.deepEqual(api.service(collection).writes, []);
    });
  }

  test(`unknown attributes of a ${kind} are refused by name, prototypes included`, async () => {
    for (const name of ["colour", "constructor", "__proto__", "toString", "prototype", ""]) {
      // Not an object literal: that would set the prototype instead of the key.
      const raw = `{"${kind}": {"${name}": {"isAdmin": true}}}`;
      const fault = faultOf(await api.ask(`${path}/${id}`, { method: "PUT", raw }));

      assert.deepEqual([fault.status, fault.message], [400, `Unrecognized attribute(s) '${name}'.`]);
    }
    assert.equal(({} as Record<string, unknown>)["isAdmin"], undefined);
    assert.deepEqual(api.service(collection).writes, []);
  });

  if (resource.adminOnly !== true) {
    // What depends on whose the network is, the service judges.
    const forbiddenTo = (attribute: AttributeDeclaration, action: "create" | "update" | "read"): boolean =>
      rulesOf(attribute, action).some(({ allow }) => !allow.some((who) => who.startsWith("network-")));
    const secrets = Object.entries(attributes).filter(([, each]) =>
      (["create", "update", "read"] as const).some((action) => forbiddenTo(each, action)),
    );

    test(`a member may neither set, change nor see what only administrators may on a ${kind}`, async () => {
      const headers = { "x-project-id": "blue", "x-roles": "member,reader" };
      const values: Record<string, unknown> = {
        shared: true,
        "router:external": true,
        "provider:network_type": "vxlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 7,
        segments: [{ "provider:network_type": "vxlan" }],
        service_types: ["compute:"],
        segment_id: id,
        mac_address: "fa:16:3e:00:00:01",
        "binding:host_id": "node-1",
        "binding:profile": { a: 1 },
        data_plane_status: "ACTIVE",
      };
      assert.ok(secrets.length > 0);
      for (const [name, attribute] of secrets) {
        const { post, put } = attribute;
        const created = await api.ask(path, {
          method: "POST",
          headers,
          body: { [kind]: { ...base, [name]: values[name] ?? true } },
        });
        if (post) assert.equal(created.status, forbiddenTo(attribute, "create") ? 403 : 201, name);
        const changed = await api.ask(`${path}/${id}`, {
          method: "PUT",
          headers,
          body: { [kind]: { [name]: values[name] ?? true } },
        });
        if (put) assert.equal(changed.status, forbiddenTo(attribute, "update") ? 403 : 200, name);
        api.service(collection).items = [{ id, [name]: "secret" }];
        const shown = await api.ask(`${path}/${id}`, { headers });
        assert.equal(Object.hasOwn(shown.body[kind] as object, name), !forbiddenTo(attribute, "read"), name);
      }
    });
  }
}

test("a member may send the default of an administrator's attribute, which asks for nothing", async () => {
  const headers = { "x-project-id": "blue" };

  const answer = await api.ask("/v2.0/networks", { method: "POST", headers, body: { network: { shared: "false" } } });

  assert.equal(answer.status, 201);
});

test("project_id and tenant_id are one attribute", async () => {
  const create = (network: object, headers = {}) => api.ask("/v2.0/networks", { method: "POST", body: { network }, headers });

  for (const network of [{ project_id: "red" }, { tenant_id: "red" }, { project_id: "red", tenant_id: "red" }]) {
    const { status, body } = await create(network);
    const { project_id, tenant_id } = body["network"] as Record<string, unknown>;
    assert.deepEqual([status, project_id, tenant_id], [201, "red", "red"]);
  }
  assert.match(faultOf(await create({ tenant_id: "red" }, { "x-project-id": "blue" })).message, /admin privileges/);
  const two = { project_id: "red", tenant_id: "blue" };
  assert.equal(faultOf(await create(two)).message, "'project_id' and 'tenant_id' do not match");
  assert.equal((await create({ tenant_id: "red" }, { "x-project-id": "blue", "x-roles": "Admin" })).status, 201);
});

test("null asks for a new MAC on PUT and is like nothing on POST", async () => {
  await api.ask("/v2.0/ports", { method: "POST", body: { port: { network_id: id, mac_address: null } } });
  await api.ask(`/v2.0/ports/${id}`, { method: "PUT", body: { port: { mac_address: null } } });

  const [created = { mac_address: "nothing was created" }] = api.ports.created;
  assert.equal(Object.hasOwn(created, "mac_address"), false);
  assert.deepEqual(api.ports.writes[1]?.arguments[1], { mac_address: null });
});

test("services get canonical values", async () => {
  const subnet = {
    network_id: id.toUpperCase(),
    ip_version: "6",
    cidr: "FD00:0::5/64",
    gateway_ip: "FD00::0001",
    enable_dhcp: "1",
  };

  await api.ask("/v2.0/subnets", { method: "POST", body: { subnet } });

  const [body] = api.subnets.created;
  assert.deepEqual(
    [body?.["network_id"], body?.["ip_version"], body?.["cidr"], body?.["gateway_ip"], body?.["enable_dhcp"]],
    [id, 6, "fd00::/64", "fd00::1", true],
  );
});
