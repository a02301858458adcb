// Segments of networks, their ranges and their subnets over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue", "x-roles": "member" };
const vlan = (physical_network: string, segmentation_id: number) => ({
  network_type: "vlan",
  physical_network,
  segmentation_id,
});
const provider = (attributes: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`provider:${name}`, value]));

async function refused(api: RealApi, path: string, kind: string, attributes: object, method = "POST"): Promise<string> {
  const answer = await api.ask(`/v2.0/${path}`, { method, body: { [kind]: attributes } });
  const { status, type } = faultOf(answer);
  return `${status} ${type}`;
}

const show = async (api: RealApi, path: string, kind: string): Promise<Body> =>
  (await api.ask(`/v2.0/${path}`)).body[kind] as Body;

forEachDatabase((_engine, openFresh) => {
  test("a network of several segments tells them as a list, and each is found by filters", async () => {
    const api = new RealApi(await openFresh());
    const segments = [provider(vlan("east", 5)), provider({ network_type: "vxlan", segmentation_id: 9 })];
    const network = await api.create("network", { name: "wide", segments });
    const plain = await api.create("network", { name: "plain", ...provider(vlan("west", 5)) });

    assert.deepEqual(network["segments"], [segments[0], { ...segments[1], "provider:physical_network": null }]);
    assert.equal("provider:network_type" in network, false);
    assert.equal(network["mtu"], 1450);
    assert.equal("segments" in plain, false);
    const found = async (query: string) => (await api.list("networks", query)).map((each) => String(each["name"])).sort();
    assert.deepEqual(await found("?provider:segmentation_id=5"), ["plain", "wide"]);
    assert.deepEqual(await found("?provider:network_type=vxlan"), ["wide"]);
    const listed = await api.list("segments", `?network_id=${network.id}&sort_key=segmentation_id`);
    assert.deepEqual(
      listed.map((each) => [each["network_type"], each["physical_network"], each["segmentation_id"], each["name"]]),
      [
        ["vlan", "east", 5, null],
        ["vxlan", null, 9, null],
      ],
    );
    const path = `networks/${network.id}`;
    assert.equal(await refused(api, path, "network", provider({ segmentation_id: 6 }), "PUT"), "400 InvalidInput");
    const fewer = await api.ask(`/v2.0/${path}`, { method: "PUT", body: { network: { segments: [segments[0]] } } });
    assert.equal((fewer.body["network"] as Body)["provider:segmentation_id"], 5);
    assert.deepEqual(
      (await api.list("segments", `?network_id=${network.id}`)).map((each) => each.id),
      [listed[0]?.id],
      "what stays keeps its id",
    );
  });

  test("descriptions of segments that contradict each other are refused", async () => {
    const api = new RealApi(await openFresh());
    const one = provider(vlan("east", 5));
    const create = (attributes: object) => refused(api, "networks", "network", attributes);

    assert.equal(await create({ segments: [one], ...one }), "400 SegmentsSetInConjunctionWithProviders");
    assert.equal(await create({ segments: [one, one] }), "400 SegmentsContainDuplicateEntry");
    assert.equal(await create({ segments: [] }), "400 HTTPBadRequest");
    assert.equal(await create({ segments: [{ "provider:network_type": "gre" }] }), "400 InvalidInput");
    assert.equal(await create({ segments: [{ "provider:segmentation_id": 5 }] }), "400 HTTPBadRequest");
    assert.equal(await create({ segments: [{ ...one, color: "red" }] }), "400 HTTPBadRequest");
    const members = await api.ask("/v2.0/networks", { method: "POST", headers: blue, body: { network: { segments: [one] } } });
    assert.equal(faultOf(members).type, "PolicyNotAuthorized");
    assert.deepEqual(await api.list("networks"), []);
    for (const name of ["vlan_transparent", "qinq", "pvlan", "ha", "project_default"]) {
      assert.equal(await create({ [name]: true }), "400 HTTPBadRequest", name);
      await api.create("network", { [name]: false });
    }
  });

  test("segments are added to a network, named, and removed while nothing needs them", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { ...provider(vlan("east", 5)) });
    const added = await api.create("segment", { network_id: network.id, ...vlan("west", 5), name: "second" });
    assert.deepEqual(
      Object.keys(added).sort(),
      [
        ...["created_at", "description", "id", "name", "network_id", "network_type", "physical_network"],
        ...["revision_number", "segmentation_id", "updated_at"],
      ].sort(),
    );
    const both = await show(api, `networks/${network.id}`, "network");
    assert.equal((both["segments"] as readonly object[]).length, 2);
    assert.equal(both["revision_number"], 2);

    const create = (attributes: object) => refused(api, "segments", "segment", attributes);
    assert.equal(await create({ network_id: network.id, ...vlan("west", 5) }), "409 VlanIdInUse");
    assert.equal(await create({ network_id: network.id, network_type: "vxlan" }), "503 NoNetworkAvailable");
    assert.equal(await create({ network_id: network.id, network_type: "flat" }), "400 InvalidInput");
    assert.equal(await create({ network_id: added.id, network_type: "local" }), "404 NetworkNotFound");
    assert.equal(await create({ network_type: "local" }), "400 HTTPBadRequest");
    const path = `/v2.0/segments/${added.id}`;
    const renamed = await api.ask(path, { method: "PUT", body: { segment: { name: null, description: "west wing" } } });
    assert.deepEqual(
      [(renamed.body["segment"] as Body)["name"], (renamed.body["segment"] as Body)["revision_number"]],
      [null, 2],
    );
    assert.equal(faultOf(await api.ask(path, { headers: blue })).type, "SegmentNotFound");
    assert.deepEqual(await api.list("segments", "", blue), []);
    const members = { method: "POST", headers: blue, body: { segment: { network_id: network.id, network_type: "local" } } };
    assert.equal(faultOf(await api.ask("/v2.0/segments", members)).type, "PolicyNotAuthorized");

    const subnet = await api.create("subnet", {
      network_id: network.id,
      ip_version: 4,
      cidr: "10.0.0.0/24",
      segment_id: added.id,
    });
    assert.equal(faultOf(await api.ask(path, { method: "DELETE" })).type, "SegmentInUse");
    assert.equal((await api.ask(`/v2.0/subnets/${subnet.id}`, { method: "DELETE" })).status, 204);
    assert.equal((await api.ask(path, { method: "DELETE" })).status, 204);
    await api.create("port", { network_id: network.id, "binding:host_id": "node-1" });
    const [last] = await api.list("segments");
    assert.equal(faultOf(await api.ask(`/v2.0/segments/${last?.id}`, { method: "DELETE" })).type, "SegmentInUse");
  });

  test("subnets of segments: all or none of a network, and a port is on one wire", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { segments: [provider(vlan("east", 5)), provider(vlan("west", 5))] });
    const [east, west] = await api.list("segments", "?sort_key=physical_network");
    const other = await api.create("network", {});
    const body = { network_id: network.id, ip_version: 4 };
    const first = await api.create("subnet", { ...body, cidr: "10.0.0.0/24", segment_id: east?.id });
    const create = (attributes: object) => refused(api, "subnets", "subnet", { ...body, cidr: "10.0.1.0/24", ...attributes });

    assert.equal(first["segment_id"], east?.id);
    assert.equal((await show(api, `networks/${network.id}`, "network"))["l2_adjacency"], false);
    assert.equal((await show(api, `networks/${other.id}`, "network"))["l2_adjacency"], true);
    assert.equal(await create({}), "400 SubnetsNotAllAssociatedWithSegments");
    assert.equal(await create({ segment_id: other.id }), "404 SegmentNotFound");
    assert.equal(await create({ network_id: other.id, segment_id: west?.id }), "400 NetworkIdsDontMatch");
    const move = (segment_id: unknown) => refused(api, `subnets/${first.id}`, "subnet", { segment_id }, "PUT");
    assert.equal(await move(west?.id), "400 SubnetSegmentAssociationChangeNotAllowed");
    await api.create("port", { network_id: network.id });
    const second = await api.create("subnet", { ...body, cidr: "10.0.1.0/24", segment_id: west?.id });
    assert.deepEqual(
      (await api.list("subnets", `?segment_id=${west?.id}`)).map((each) => each.id),
      [second.id],
    );
    const port = (fixed_ips?: object) =>
      refused(api, "ports", "port", { network_id: network.id, ...(fixed_ips === undefined ? {} : { fixed_ips }) });
    assert.equal(await port([{ subnet_id: first.id }, { subnet_id: second.id }]), "400 FixedIpsSubnetsNotOnSameSegment");
    const made = await api.create("port", { network_id: network.id, fixed_ips: [{ subnet_id: second.id }] });
    const both = { fixed_ips: [{ subnet_id: first.id }, { subnet_id: second.id }] };
    assert.equal(await refused(api, `ports/${made.id}`, "port", both, "PUT"), "400 FixedIpsSubnetsNotOnSameSegment");

    const late = await api.create("subnet", { network_id: other.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const [only] = await api.list("segments", `?network_id=${other.id}`);
    const given = await api.ask(`/v2.0/subnets/${late.id}`, { method: "PUT", body: { subnet: { segment_id: only?.id } } });
    assert.equal((given.body["subnet"] as Body)["segment_id"], only?.id);
  });

  test("ranges are made, show what of them is used, and stay as long as it is", async () => {
    const api = new RealApi(await openFresh());
    const kind = "network_segment_range";
    const body = { name: "mine", network_type: "vlan", physical_network: "east", minimum: 5, maximum: 8 };
    const range = await api.create(kind, { ...body, shared: false, project_id: "blue" });
    const network = await api.create("network", { ...provider({ network_type: "vlan" }), project_id: "blue" });
    const path = `${kind}s/${range.id}`;

    assert.equal(network["provider:segmentation_id"], 5);
    const shown = await show(api, path, kind);
    assert.deepEqual(shown["used"], { 5: "blue" });
    assert.deepEqual(shown["available"], [6, 7, 8]);
    assert.deepEqual(
      [shown["default"], shown["shared"], shown["project_id"], shown["tenant_id"]],
      [false, false, "blue", "blue"],
    );
    const create = (changes: object) => refused(api, `${kind}s`, kind, { ...body, ...changes });
    assert.equal(await create({ minimum: 8, maximum: 9 }), "409 NetworkSegmentRangeOverlaps");
    assert.equal(await create({ network_type: "gre" }), "400 NetworkSegmentRangeNetTypeNotSupported");
    assert.equal(await create({ network_type: "flat" }), "400 HTTPBadRequest");
    assert.equal(await create({ physical_network: null }), "400 InvalidInput");
    assert.equal(await create({ physical_network: "" }), "400 InvalidInput");
    assert.equal(await create({ network_type: "vxlan" }), "400 InvalidInput");
    assert.equal(await create({ minimum: 9, maximum: 8 }), "400 InvalidInput");
    assert.equal(await create({ minimum: 9, maximum: 5000 }), "400 InvalidInput");
    const change = (changes: object) => refused(api, path, kind, changes, "PUT");
    assert.equal(await change({ minimum: 6 }), "409 NetworkSegmentRangeReferencedByProject");
    assert.equal(await change({ shared: true }), "400 HTTPBadRequest");
    const wider = await api.ask(`/v2.0/${path}`, { method: "PUT", body: { [kind]: { maximum: 9, name: "wider" } } });
    assert.deepEqual((wider.body[kind] as Body)["available"], [6, 7, 8, 9]);
    assert.equal(faultOf(await api.ask(`/v2.0/${path}`, { method: "DELETE" })).type, "NetworkSegmentRangeReferencedByProject");
    assert.equal((await api.ask(`/v2.0/networks/${network.id}`, { method: "DELETE" })).status, 204);
    assert.deepEqual(await api.list(`${kind}s`, "", blue), []);
    assert.equal(faultOf(await api.ask(`/v2.0/${path}`, { headers: blue })).type, "NetworkSegmentRangeNotFound");
    const members = { method: "POST", headers: blue, body: { [kind]: body } };
    assert.equal(faultOf(await api.ask(`/v2.0/${kind}s`, members)).type, "PolicyNotAuthorized");
    assert.equal((await api.ask(`/v2.0/${path}`, { method: "DELETE" })).status, 204);
  });

  test("a range of the settings is shown and stays as it is", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    const marks = {
      is_default: 1,
      shared: 1,
      project_id: "",
      name: "",
      description: "",
      tags: "[]",
      revision_number: 1,
    } as const;
    const place = { network_type: "vxlan", physical_network: null, minimum: 1, maximum: 16_000_000, next_id: 1 };
    const id = "11111111-2222-4333-8444-555555555555";
    const times = { created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" };
    await store.db
      .insertInto("network_segment_ranges")
      .values({ id, ...marks, ...place, ...times })
      .execute();

    const [range] = await api.list("network_segment_ranges", "?network_type=vxlan");
    assert.deepEqual([range?.["default"], range?.["shared"], range?.["project_id"]], [true, true, null]);
    assert.equal((range?.["available"] as readonly number[] | undefined)?.length, 5000);
    const kind = "network_segment_range";
    const path = `${kind}s/${id}`;
    assert.equal(await refused(api, path, kind, { name: "x" }, "PUT"), "400 NetworkSegmentRangeDefaultReadOnly");
    assert.equal(faultOf(await api.ask(`/v2.0/${path}`, { method: "DELETE" })).type, "NetworkSegmentRangeDefaultReadOnly");
  });

  test("at most one external network is the default one", async () => {
    const api = new RealApi(await openFresh());
    const outside = { "router:external": true, is_default: true };
    const first = await api.create("network", outside);

    assert.equal(first["is_default"], true);
    assert.equal(await refused(api, "networks", "network", outside), "409 DefaultExternalNetworkExists");
    assert.equal(await refused(api, "networks", "network", { is_default: true }), "400 InvalidInput");
    assert.deepEqual(
      (await api.list("networks", "?is_default=true")).map((each) => each.id),
      [first.id],
    );
    const second = await api.create("network", { "router:external": true });
    const change = { is_default: true };
    assert.equal(await refused(api, `networks/${second.id}`, "network", change, "PUT"), "409 DefaultExternalNetworkExists");
  });
});
