// Whatever object a client sends: never a value in a service that its schema would not give. What the whole server makes of any
// body, query, header and path is in test/contract/api/fuzz.test.ts.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { networkResource } from "../../../../src/types/resources/networks.ts";
import { portResource } from "../../../../src/types/resources/ports.ts";
import { subnetResource } from "../../../../src/types/resources/subnets.ts";
import { type Answer, FakeApi } from "../../../helpers/fake-api.ts";

const id = "11111111-2222-3333-4444-555555555555";
const resources = [networkResource, subnetResource, portResource];
const api = new FakeApi();
after(() => api.close());

function assertProper(answer: Answer): void {
  const isFault = answer.status >= 400;
  assert.ok(answer.status < 500, `${answer.status} ${answer.text.slice(0, 200)}`);
  if (!isFault) return;
  assert.deepEqual(Object.keys(answer.body), ["NeutronError"]);
  assert.deepEqual(Object.keys(answer.body["NeutronError"] as object), ["type", "message", "detail"]);
}

const names = resources.flatMap(({ attributes }) => Object.keys(attributes));
const name = fc.oneof(fc.constantFrom(...names), fc.constantFrom("__proto__", "constructor", "limit", "fields"), fc.string());
const plausible = fc.oneof(
  fc.uuid(),
  fc.ipV4(),
  fc.ipV6(),
  fc.boolean(),
  fc.nat(),
  fc.constantFrom("10.0.0.0/24", "fd00::/64", null),
);
const nested = fc.oneof(
  plausible,
  fc.jsonValue(),
  fc.string({ unit: "binary" }),
  fc.array(
    fc.dictionary(fc.constantFrom("ip_address", "subnet_id", "opt_name", "opt_value", "start", "end", "__proto__"), plausible),
  ),
);
/** Mostly names that may be sent, so that a good part of the bodies is accepted. */
const sendable = names.filter((each) => resources.some(({ attributes }) => attributes[each]?.put === true));
const object = fc.dictionary(
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...sendable) }, { weight: 1, arbitrary: name }),
  nested,
  {
    maxKeys: 3,
  },
);

test("any object as a body of any collection", async () => {
  let accepted = 0;
  const resource = fc.constantFrom(...resources);
  await fc.assert(
    fc.asyncProperty(
      resource,
      object,
      fc.boolean(),
      fc.constantFrom("", "blue"),
      async (kind, attributes, isUpdate, project) => {
        const required = isUpdate ? {} : { network_id: id, ip_version: 4, cidr: "10.0.0.0/8" };
        const known = Object.fromEntries(Object.entries(required).filter(([key]) => Object.hasOwn(kind.attributes, key)));
        const path = `/v2.0/${kind.collection}${isUpdate ? `/${id}` : ""}`;
        const service = api.service(kind.collection);
        service.calls.length = 0;

        const answer = await api.ask(path, {
          method: isUpdate ? "PUT" : "POST",
          body: { [kind.name]: { ...known, ...attributes } },
          headers: { "x-project-id": project },
        });

        assertProper(answer);
        // Before a 403 for an attribute it is looked whether the caller sees the object.
        const writes = service.calls.filter(({ verb }) => verb !== "show");
        assert.equal(writes.length, answer.status < 300 ? 1 : 0);
        accepted += writes.length;
        for (const value of passedOn(writes[0]?.arguments, isUpdate)) {
          for (const [key, sent] of Object.entries(value)) {
            assert.deepEqual(kind.attributes[key]?.schema.parse(sent), sent, key);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
  assert.ok(accepted > 3, `only ${accepted} of 100 bodies were accepted: this test looks at too little`);
});

function passedOn(given: readonly unknown[] | undefined, isUpdate: boolean): readonly object[] {
  if (given === undefined) return [];
  // The shapes of ResourceService.update and ResourceService.create.
  return isUpdate ? [given[1] as object] : (given[0] as readonly object[]);
}
