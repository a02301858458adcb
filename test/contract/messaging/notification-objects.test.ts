// What a notification says of its object: the real API, the real presenter, a bus that is a fake.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { startNotifications } from "../../../src/server/compose-notifications.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeHub } from "../../helpers/fake-bus.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";
import { waitFor } from "../../helpers/wait-for.ts";

type Message = Readonly<Record<string, unknown>>;

const project = "0190b6a83c1e7f008a005d3c2e1f0a9b";

/** Every kind of object that is inside another one, each with what it is in. */
async function makeNested(api: RealApi): Promise<ReadonlyMap<string, Body>> {
  const outside = await api.create("network", { "router:external": true });
  await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
  const inside = await api.create("network", {});
  const subnet = await api.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.0.0.0/24" });
  const router = await api.create("router", { project_id: project, external_gateway_info: { network_id: outside.id } });
  const join = { method: "PUT", body: { subnet_id: subnet.id } } as const;
  assert.equal((await api.ask(`/v2.0/routers/${router.id}/add_router_interface`, join)).status, 200);
  const port = await api.create("port", { network_id: inside.id });
  const floating = await api.create("floatingip", { project_id: project, floating_network_id: outside.id });
  const [address] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
  const target = { internal_port_id: port.id, internal_ip_address: address?.ip_address, internal_port: 80 };
  const wish = { ...target, external_port: 8080, protocol: "tcp" };
  const forwarding = await api.create("port_forwarding", wish, {}, `floatingips/${floating.id}/port_forwardings`);
  const policy = await api.create("policy", { name: "slow", project_id: project }, {}, "qos/policies");
  const limits = `qos/policies/${policy.id}/bandwidth_limit_rules`;
  const limit = await api.create("bandwidth_limit_rule", { max_kbps: 1000 }, {}, limits);
  const tftp = { protocol: "udp", port: 69, helper: "tftp" };
  const helper = await api.create("conntrack_helper", tftp, {}, `routers/${router.id}/conntrack_helpers`);
  return new Map([
    ["port_forwarding", { ...forwarding, floatingip_id: floating.id }],
    ["qos_rule", { ...limit, qos_policy_id: policy.id, type: "bandwidth_limit" }],
    ["conntrack_helper", { ...helper, router_id: router.id }],
  ]);
}

async function heardOf(api: RealApi, store: Store, until: number): Promise<readonly Message[]> {
  const hub = new FakeHub();
  const heard: Message[] = [];
  hub.connect().subscribe("nl.notify.>", ({ data }) => void heard.push(data as Message));
  const publisher = await startNotifications({
    ...{ store, bus: hub.connect(), readers: api.app.readers, clock: systemClock, log: silentLogger },
  });
  try {
    const count = () =>
      heard.filter(({ event }) => /^(port_forwarding|qos_rule|conntrack_helper)\./.test(String(event))).length;
    await waitFor(() => count() >= until, { limitMs: 10_000, what: `${until} messages about what is inside others` });
    return heard;
  } finally {
    await publisher.close();
  }
}

forEachDatabase((_engine, openFresh) => {
  test("objects inside others are told as the API shows them, with what they are in", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    const nested = await makeNested(api);

    const heard = await heardOf(api, store, nested.size);

    for (const [resource, object] of nested) {
      const created = heard.find(({ event }) => event === `${resource}.create.end`);
      assert.deepEqual([created?.["id"], created?.[resource]], [object.id, object]);
      assert.equal(created?.["project_id"], project, `a note of a ${resource} says whose it is`);
    }
    const empty = heard
      .filter(({ event }) => !String(event).includes(".delete."))
      .filter((message) => {
        const resource = String(message["event"]).split(".")[0] ?? "";
        return message[resource] === null;
      });
    assert.deepEqual(empty, [], "no object that is there is left out");
    const floating = nested.get("port_forwarding")?.["floatingip_id"];
    const id = nested.get("port_forwarding")?.id;
    const gone = await api.ask(`/v2.0/floatingips/${String(floating)}/port_forwardings/${String(id)}`, { method: "DELETE" });
    assert.equal(gone.status, 204);
    const deleted = (await heardOf(api, store, 1)).find(({ event }) => event === "port_forwarding.delete.end");
    assert.deepEqual([deleted?.["id"], Object.hasOwn(deleted ?? {}, "port_forwarding")], [id, false]);
  });

  test("objects that go with what they are inside of are told as gone, with their project", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    const nested = await makeNested(api);
    const inside = (resource: string, attribute: string): string => String(nested.get(resource)?.[attribute]);
    const router = inside("conntrack_helper", "router_id");
    const [joined] = await api.list("ports", `?device_id=${router}&device_owner=network:router_interface`);
    await heardOf(api, store, nested.size);

    const leave = { method: "PUT", body: { port_id: joined?.id } } as const;
    const paths = [
      `floatingips/${inside("port_forwarding", "floatingip_id")}`,
      `qos/policies/${inside("qos_rule", "qos_policy_id")}`,
    ];
    for (const path of paths) assert.equal((await api.ask(`/v2.0/${path}`, { method: "DELETE" })).status, 204, path);
    assert.equal((await api.ask(`/v2.0/routers/${router}/remove_router_interface`, leave)).status, 200);
    assert.equal((await api.ask(`/v2.0/routers/${router}`, { method: "DELETE" })).status, 204);

    const heard = await heardOf(api, store, nested.size);
    const gone = heard.filter(({ event, id }) => nested.get(String(event).split(".")[0] ?? "")?.id === id);
    assert.deepEqual(
      gone.map(({ event, project_id: of }) => `${String(event)} ${String(of)}`).sort(),
      [...nested.keys()].map((resource) => `${resource}.delete.end ${project}`).sort(),
    );
  });
});
