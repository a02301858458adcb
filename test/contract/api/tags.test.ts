// Tags over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

interface Place {
  readonly api: RealApi;
  readonly path: string;
}

const tagsAt = async ({ api, path }: Place): Promise<unknown> => (await api.ask(`${path}/tags`)).body["tags"];
const revisionAt = async ({ api, path }: Place): Promise<unknown> => {
  const [object] = Object.values((await api.ask(path)).body);
  return (object as { readonly revision_number: number }).revision_number;
};

/** One of each kind that has tags. */
async function oneOfEach(api: RealApi): Promise<readonly string[]> {
  const network = await api.create("network", { "router:external": true });
  const subnet = await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
  const port = await api.create("port", { network_id: network.id });
  const router = await api.create("router", {});
  const floating = await api.create("floatingip", { floating_network_id: network.id });
  const paths = { networks: network, subnets: subnet, ports: port, routers: router, floatingips: floating };
  return Object.entries(paths).map(([path, object]) => `/v2.0/${path}/${object.id}`);
}

forEachDatabase((_engine, openFresh) => {
  test("every kind of object takes, shows and loses tags, each time with a new revision", async () => {
    const api = new RealApi(await openFresh());
    for (const path of await oneOfEach(api)) {
      const place = { api, path };
      const before = Number(await revisionAt(place));
      const replaced = await api.ask(`${path}/tags`, { method: "PUT", body: { tags: ["b", "a.json"] } });
      assert.deepEqual([replaced.status, replaced.body], [200, { tags: ["b", "a.json"] }], path);
      const added = await api.ask(`${path}/tags`, { method: "POST", body: { tags: ["c", "b"] } });
      assert.deepEqual([added.status, added.body], [201, { tags: ["b", "a.json", "c"] }]);
      const put = await api.ask(`${path}/tags/${encodeURIComponent('ä/%,"')}`, { method: "PUT" });
      assert.deepEqual([put.status, put.text], [201, ""]);
      assert.equal((await api.ask(`${path}/tags/a.json`)).status, 204);
      assert.equal(faultOf(await api.ask(`${path}/tags/a`)).type, "TagNotFound");
      assert.equal((await api.ask(`${path}/tags/a.json`, { method: "DELETE" })).status, 204);
      assert.equal(faultOf(await api.ask(`${path}/tags/a.json`, { method: "DELETE" })).type, "TagNotFound");
      assert.deepEqual(await tagsAt(place), ["b", "c", 'ä/%,"']);
      assert.equal(await revisionAt(place), before + 4);
      await api.ask(`${path}/tags/b`, { method: "PUT" });
      assert.equal(await revisionAt(place), before + 4, "what is there already changes nothing");
      assert.equal((await api.ask(`${path}/tags`, { method: "DELETE" })).status, 204);
      assert.deepEqual(await tagsAt(place), []);
    }
  });

  test("lists are filtered by all, any, not all and none of some tags, which are found literally", async () => {
    const api = new RealApi(await openFresh());
    const make = async (name: string, tags: readonly string[]): Promise<void> => {
      const { id } = await api.create("network", { name });
      await api.ask(`/v2.0/networks/${id}/tags`, { method: "PUT", body: { tags } });
    };
    await make("none", []);
    await make("a", ["a"]);
    await make("ab", ["a", "b"]);
    await make("odd", ['x"b"y', "b\\", "A", "%", "x,", "["]);
    const found = async (query: string): Promise<readonly unknown[]> =>
      (await api.list("networks", `?${query}&sort_key=name`)).map((network) => network["name"]);
    const cases: Readonly<Record<string, readonly string[]>> = {
      "tags=a": ["a", "ab"],
      "tags=a,b": ["ab"],
      "tags=a&tags=b": ["ab"],
      "tags-any=b,A": ["ab", "odd"],
      "not-tags=a,b": ["a", "none", "odd"],
      "not-tags-any=a,b": ["none", "odd"],
      "tags=a&not-tags=b": ["a"],
      "tags=": [],
      "not-tags-any=": ["a", "ab", "none", "odd"],
      "tags=%00": [],
      "tags=b%5C": ["odd"],
      "tags=%25": ["odd"],
      "tags=%5B": ["odd"],
      'tags=x"b"y': ["odd"],
      "tags=y": [],
      "tags=a&fields=name": ["a", "ab"],
      "tags-any=a,b&name=ab": ["ab"],
    };
    for (const [query, names] of Object.entries(cases)) assert.deepEqual(await found(query), names, query);
    // As many as a URL has room for; SQLite has a limit of depth.
    const many = ["a", ...Array.from({ length: 1500 }, (_, index) => `t${index}`)].join(",");
    assert.deepEqual(await found(`tags-any=${many}`), ["a", "ab"]);
    assert.deepEqual(await found(`tags=${many}`), []);
    assert.deepEqual(await found(`not-tags=${many}`), ["a", "ab", "none", "odd"]);
  });

  test("only the owner of an object, or of its network, changes its tags; others do not learn that it is there", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { shared: true, project_id: "blue" });
    const hidden = await api.create("network", { project_id: "blue" });
    const port = await api.create("port", { network_id: network.id }, red);
    const change = { method: "PUT", body: { tags: ["x"] } } as const;
    const status = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await api.ask(`/v2.0/${path}/tags`, { ...change, headers })).status;
    assert.equal((await api.ask(`/v2.0/networks/${network.id}/tags`, { headers: red })).status, 200);
    assert.equal(await status(`networks/${network.id}`, red), 403);
    assert.equal(await status(`ports/${port.id}`, red), 200);
    assert.equal(await status(`ports/${port.id}`, blue), 200);
    const answer = await api.ask(`/v2.0/networks/${hidden.id}/tags`, { ...change, headers: red });
    assert.equal(faultOf(answer).type, "TagResourceNotFound");
    assert.equal(faultOf(await api.ask("/v2.0/networks/none/tags")).type, "TagResourceNotFound");
    assert.equal(await status(`networks/${hidden.id}`, { ...blue, "if-match": "revision_number=9" }), 412);
    assert.equal(await status(`networks/${hidden.id}`, { ...blue, "if-match": "revision_number=1" }), 200);
  });

  test("what cannot be a tag is refused", async () => {
    const api = new RealApi(await openFresh());
    const { id } = await api.create("network", {});
    const bodies = [
      {},
      { tags: "a" },
      { tags: ["a", "a"] },
      { tags: [1] },
      { tags: [""] },
      { tags: ["a".repeat(256)] },
      { tags: ["\u0000"] },
      { tags: [], more: 1 },
      { tags: Array.from({ length: 256 }, (_, index) => String(index)) },
      [],
    ];
    for (const body of bodies) {
      const answer = await api.ask(`/v2.0/networks/${id}/tags`, { method: "PUT", body });
      assert.equal(answer.status, 400, JSON.stringify(body).slice(0, 80));
    }
    assert.equal((await api.ask(`/v2.0/networks/${id}/tags/${"a".repeat(256)}`, { method: "PUT" })).status, 400);
    await api.ask(`/v2.0/networks/${id}/tags`, {
      method: "PUT",
      body: { tags: Array.from({ length: 255 }, (_, index) => String(index)) },
    });
    assert.equal((await api.ask(`/v2.0/networks/${id}/tags/more`, { method: "PUT" })).status, 400);
    assert.equal((await api.ask(`/v2.0/networks/${id}/tags`, { method: "PATCH" })).status, 405);
  });

  test("ports are made with tags, one or several at once", async () => {
    const api = new RealApi(await openFresh());
    const { id } = await api.create("network", {});
    const ports = [{ network_id: id, tags: ["web", "x"] }, { network_id: id }];
    const made = await api.ask("/v2.0/ports", { method: "POST", body: { ports } });
    const tags = (made.body["ports"] as readonly { readonly tags: unknown }[]).map((port) => port.tags);
    assert.deepEqual(tags, [["web", "x"], []]);
    assert.equal((await api.list("ports", "?tags=web")).length, 1);
    const changed = await api.ask(`/v2.0/ports/${String((await api.list("ports"))[0]?.id)}`, {
      method: "PUT",
      body: { port: { tags: [] } },
    });
    assert.equal(changed.status, 400);
  });
});
