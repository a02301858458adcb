import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerView } from "../../../../src/server/api/answer-view.ts";
import { portResource } from "../../../../src/types/resources/ports.ts";

const view = new AnswerView(portResource);
const admin = { requestId: "req-1", projectId: "p", isAdmin: true };
const member = { ...admin, isAdmin: false };
const port = { id: "1", name: "a", project_id: "p", tenant_id: "p", status: "DOWN", "binding:host_id": "node-1" };

/** As clients get them. */
const listed = (items: readonly object[], caller: typeof admin, fields?: readonly string[]): readonly unknown[] => {
  const shown = view.each(caller, fields);
  return items.map((item) => JSON.parse(JSON.stringify(shown(item as Readonly<Record<string, unknown>>))));
};

test("a list shows of each item what is shown of the item alone, to every caller", () => {
  const bare = { id: "2", project_id: "p" };
  const more = { ...port, trunk_details: { trunk_id: "t" } };
  const internal = { ...port, dhcp_ready_revision: 7 };
  for (const caller of [admin, member]) {
    for (const items of [[port, more, bare], [bare, port], [internal, port], [more]]) {
      for (const fields of [undefined, ["id", "tenant_id"], []]) {
        assert.deepEqual(
          listed(items, caller, fields),
          items.map((item) => JSON.parse(JSON.stringify(view.one(item, caller, fields)))),
        );
      }
    }
  }
});

test("who sees everything gets the item itself; what somebody may not see is never in a list", () => {
  assert.equal(view.each(admin)(port), port);
  assert.deepEqual(listed([port], member), [{ id: "1", name: "a", project_id: "p", tenant_id: "p", status: "DOWN" }]);
});
