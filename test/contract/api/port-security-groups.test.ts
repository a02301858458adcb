// Security groups of ports over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };
const nowhere = "99999999-2222-4333-8444-555555555555";

forEachDatabase((_engine, openFresh) => {
  async function open() {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { name: "n" }, blue);
    const group = (name: string, headers = blue) => api.create("security_group", { name }, headers, "security-groups");
    const standard = async (headers = blue) =>
      (await api.list("security-groups", "?name=default", headers, "security_groups"))[0]?.id;
    const post = (port: object, headers: Record<string, string> = blue) =>
      api.ask("/v2.0/ports", { method: "POST", headers, body: { port: { network_id: network.id, ...port } } });
    const create = async (port: object, headers?: Record<string, string>) => (await post(port, headers)).body["port"] as Body;
    const put = (id: string, port: object) => api.ask(`/v2.0/ports/${id}`, { method: "PUT", headers: blue, body: { port } });
    return { api, network, group, standard, post, create, put };
  }

  test("a port has the default group of its project unless somebody says otherwise", async () => {
    const { api, network, group, standard, create } = await open();
    const web = await group("web");
    const groupsOf = async (port: object, headers?: Record<string, string>) => (await create(port, headers))["security_groups"];
    assert.deepEqual(await groupsOf({}), [await standard()]);
    assert.deepEqual(await groupsOf({ project_id: "red" }, {}), [await standard(red)]);
    assert.deepEqual(await groupsOf({ security_groups: [] }), []);
    assert.deepEqual(await groupsOf({ security_groups: null }), []);
    assert.deepEqual(await groupsOf({ port_security_enabled: false }), []);
    assert.deepEqual(await groupsOf({ device_owner: "network:dhcp" }, {}), []);
    assert.deepEqual(await groupsOf({ device_owner: "network:dhcp", security_groups: [web.id] }, {}), []);
    const unsafe = await api.create("network", { port_security_enabled: false }, blue);
    assert.deepEqual(await groupsOf({ network_id: unsafe.id }), []);
    const bulk = [{}, { security_groups: [web.id] }, { port_security_enabled: false }];
    const body = { ports: bulk.map((port) => ({ network_id: network.id, ...port })) };
    const made = (await api.ask("/v2.0/ports", { method: "POST", headers: blue, body })).body["ports"] as readonly Body[];
    assert.deepEqual(
      made.map((port) => port["security_groups"]),
      [[await standard()], [web.id], []],
    );
    const listed = await api.list("ports", `?${made.map(({ id }) => `id=${id}`).join("&")}`, blue);
    assert.deepEqual(new Map(listed.map((port) => [port.id, port])), new Map(made.map((port) => [port.id, port])));
  });

  test("groups need port security, and must be the project's own or shared with it", async () => {
    const { group, standard, post, create, put } = await open();
    const [web, foreign] = [await group("web"), await group("theirs", red)];
    const faultOfPost = async (port: object) => faultOf(await post(port)).type;
    assert.equal(await faultOfPost({ security_groups: [nowhere] }), "SecurityGroupNotFound");
    assert.equal(await faultOfPost({ security_groups: [web.id, foreign.id] }), "SecurityGroupNotFound");
    const insecure = { port_security_enabled: false, security_groups: [web.id] };
    assert.equal(await faultOfPost(insecure), "PortSecurityAndIPRequiredForSecurityGroups");
    const port = await create({});
    const faultOfPut = async (change: object) => faultOf(await put(port.id, change)).type;
    assert.equal(await faultOfPut({ security_groups: [web.id, web.id] }), "HTTPBadRequest");
    assert.equal(await faultOfPut({ security_groups: [foreign.id] }), "SecurityGroupNotFound");
    assert.equal(await faultOfPut({ port_security_enabled: false }), "PortSecurityPortHasSecurityGroup");
    assert.equal(await faultOfPut(insecure), "PortSecurityAndIPRequiredForSecurityGroups");
    const bare = await put(port.id, { port_security_enabled: false, security_groups: [] });
    assert.deepEqual((bare.body["port"] as Body)["security_groups"], []);
    assert.equal(await faultOfPut({ security_groups: [web.id] }), "PortSecurityAndIPRequiredForSecurityGroups");
    const secure = await put(port.id, { port_security_enabled: true, security_groups: [web.id] });
    assert.deepEqual((secure.body["port"] as Body)["security_groups"], [web.id]);
    assert.notEqual(web.id, await standard());
  });

  test("groups are changed with a new revision, and ports are found by them", async () => {
    const { api, group, standard, create, put } = await open();
    const [web, db] = [await group("web"), await group("db")];
    const port = await create({ name: "p" });
    const both = (await put(port.id, { security_groups: [web.id, db.id] })).body["port"] as Body;
    assert.deepEqual(new Set(both["security_groups"] as string[]), new Set([web.id, db.id]));
    assert.equal(both["revision_number"], 2);
    const same = (await put(port.id, { security_groups: [db.id, web.id] })).body["port"] as Body;
    assert.equal(same["revision_number"], 2);
    const other = await create({ name: "q", security_groups: [db.id] });
    const found = async (query: string) =>
      new Set((await api.list("ports", `?${query}`, blue)).map(({ name }: Body & { readonly name?: unknown }) => name));
    assert.deepEqual(await found(`security_groups=${db.id}`), new Set(["p", "q"]));
    assert.deepEqual(await found(`security_groups=${web.id}`), new Set(["p"]));
    assert.deepEqual(await found(`security_groups=${web.id}&security_groups=${db.id}&name=q`), new Set(["q"]));
    assert.deepEqual(await found(`security_groups=${await standard()}`), new Set());
    await api.ask(`/v2.0/ports/${other.id}`, { method: "DELETE", headers: blue });
    assert.equal((await put(port.id, { security_groups: [web.id] })).status, 200);
    assert.equal((await api.ask(`/v2.0/security-groups/${db.id}`, { method: "DELETE", headers: blue })).status, 204);
  });

  test("a group goes or is given to a port, never both", async () => {
    const { api, group, post } = await open();
    for (let round = 0; round < 6; round++) {
      const web = await group(`web ${round}`);
      const [made, gone] = await Promise.all([
        post({ security_groups: [web.id] }),
        api.ask(`/v2.0/security-groups/${web.id}`, { method: "DELETE", headers: blue }),
      ]);
      const outcome = `${made.status} ${gone.status}`;
      assert.ok(["201 409", "404 204"].includes(outcome), `${outcome} ${made.text} ${gone.text}`);
    }
  });
});
