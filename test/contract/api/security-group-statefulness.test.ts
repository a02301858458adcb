// What new security groups are that do not say whether they are stateful: over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const key = "security_groups_default_statefulness";
const path = "security-groups-default-statefulness";
const as = (project: string, roles: string) => ({ "x-project-id": project, "x-roles": roles });
const manager = as("blue", "manager,member");
const member = as("blue", "member");

const sceneOf = (api: RealApi) => ({
  set: (wish: object, headers = {}) => api.create(key, wish, headers, path),
  refused: async (method: string, below: string, wish: object | undefined, headers = {}) => {
    const body = wish === undefined ? {} : { body: { [key]: wish } };
    const { status, type } = faultOf(await api.ask(`/v2.0/${path}${below}`, { method, headers, ...body }));
    return `${status} ${type}`;
  },
  list: (headers = {}, query = "") => api.list(path, query, headers, key),
  group: async (project: string, wish: object = {}) =>
    (await api.create("security_group", { name: "web", project_id: project, ...wish }, {}, "security-groups"))["stateful"],
  defaultGroup: async (project: string) => {
    const groups = await api.list("security-groups", "?name=default", as(project, "member"), "security_groups");
    return groups.map((group) => group["stateful"]);
  },
});

forEachDatabase((_engine, openFresh) => {
  const open = async () => {
    const api = new RealApi(await openFresh());
    return { api, ...sceneOf(api) };
  };

  test("the project's setting counts before that of all projects, and what is said before both", async () => {
    const { api, set, group, defaultGroup } = await open();
    assert.equal(await group("plain"), true);

    const all = await set({ stateful: false });
    const blue = await set({ project_id: "blue", stateful: true });

    assert.deepEqual(Object.keys(all).sort(), ["id", "project_id", "stateful"]);
    assert.deepEqual([all["project_id"], all["stateful"]], [null, false]);
    assert.deepEqual([blue["project_id"], blue["stateful"]], ["blue", true]);
    assert.equal(await group("green"), false);
    assert.equal(await group("green", { stateful: true }), true);
    assert.equal(await group("blue"), true);
    assert.equal(await group("blue", { stateful: false }), false);
    assert.deepEqual(await defaultGroup("red"), [false]);
    assert.deepEqual(await defaultGroup("blue"), [true]);
    assert.deepEqual(await defaultGroup("plain"), [true], "what is there stays");

    const changed = await api.ask(`/v2.0/${path}/${blue.id}`, { method: "PUT", body: { [key]: { stateful: false } } });
    assert.equal((changed.body[key] as Body)["stateful"], false);
    assert.equal(await group("blue"), false);
    for (const one of [all, blue]) assert.equal((await api.ask(`/v2.0/${path}/${one.id}`, { method: "DELETE" })).status, 204);
    assert.equal(await group("blue"), true);
    assert.equal(await group("green"), true);
  });

  test("there is one for each project and one for all, whoever asks at once", async () => {
    const { api, set, refused, list } = await open();
    await set({});
    await set({ project_id: "blue" });

    assert.equal(await refused("POST", "", { project_id: null }), "409 SecurityGroupDefaultStatefulnessAlreadyExists");
    assert.equal(await refused("POST", "", { project_id: "blue" }), "409 SecurityGroupDefaultStatefulnessAlreadyExists");
    assert.equal(await refused("POST", "", { project_id: "" }), "400 HTTPBadRequest");
    assert.equal(await refused("POST", "", { stateful: "perhaps" }), "400 HTTPBadRequest");
    assert.equal(
      await refused("PUT", `/${(await list())[0]?.id}`, { project_id: "green" }),
      "400 HTTPBadRequest",
      "whose it is stays",
    );
    const body = { [key]: { project_id: "green" } };
    const answers = await Promise.all([1, 2, 3].map(() => api.ask(`/v2.0/${path}`, { method: "POST", body })));
    assert.deepEqual(answers.map(({ status }) => String(status)).sort(), ["201", "409", "409"]);
    assert.deepEqual(
      (await list({}, "?sort_key=project_id")).map((one) => one["project_id"]),
      [null, "blue", "green"],
    );
  });

  test("managers have that of their project, members see it, others do not know of it", async () => {
    const { api, set, refused, list } = await open();
    const all = await set({ stateful: false });
    const nobody = "11111111-2222-4333-8444-555555555555";

    assert.equal(await refused("POST", "", {}, manager), "403 PolicyNotAuthorized");
    assert.equal(await refused("POST", "", { project_id: "green" }, manager), "400 HTTPBadRequest");
    assert.equal(await refused("POST", "", { project_id: "blue" }, member), "403 PolicyNotAuthorized");
    const own = await set({ project_id: "blue" }, manager);
    assert.equal(own["stateful"], true);
    assert.deepEqual(
      (await list(member)).map((one) => one.id),
      [own.id],
    );
    assert.deepEqual(await list(as("green", "manager,member")), []);
    assert.equal(await refused("GET", `/${all.id}`, undefined, manager), "404 SecurityGroupDefaultStatefulnessNotFound");
    assert.equal(await refused("GET", `/${nobody}`, undefined), "404 SecurityGroupDefaultStatefulnessNotFound");
    assert.equal(await refused("PUT", `/${own.id}`, { stateful: false }, member), "403 PolicyNotAuthorized");
    assert.equal(await refused("DELETE", `/${own.id}`, undefined, member), "403 PolicyNotAuthorized");
    const change = { method: "PUT", headers: manager, body: { [key]: { stateful: false } } };
    assert.equal((await api.ask(`/v2.0/${path}/${own.id}`, change)).status, 200);
    assert.equal((await api.ask(`/v2.0/${path}/${own.id}`, { method: "DELETE", headers: manager })).status, 204);
    assert.equal((await list()).length, 1);
  });

  test("the alias is listed: the API does all that it promises", async () => {
    const { api } = await open();
    assert.equal((await api.ask(`/v2.0/extensions/${path}`)).status, 200);
  });
});
