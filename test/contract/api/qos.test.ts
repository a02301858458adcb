// QoS policies, their rules, and who has them, over HTTP on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

forEachDatabase((_engine, openFresh) => {
  const open = async () => new RealApi(await openFresh());
  const makePolicy = (api: RealApi, attributes: object, headers = blue) =>
    api.create("policy", attributes, headers, "qos/policies");

  test("a policy is made with rules, which move its revision, and is hidden from others", async () => {
    const api = await open();
    const policy = await makePolicy(api, { name: "slow" });
    assert.deepEqual([policy["shared"], policy["is_default"], policy["rules"]], [false, false, []]);
    const path = `qos/policies/${policy.id}`;
    const limit = await api.create("bandwidth_limit_rule", { max_kbps: 1000 }, blue, `${path}/bandwidth_limit_rules`);
    assert.deepEqual(limit, { id: limit.id, max_kbps: 1000, max_burst_kbps: 0, direction: "egress" });
    await api.create("dscp_marking_rule", { dscp_mark: "26" }, blue, `${path}/dscp_marking_rules`);
    await api.create("packet_rate_limit_rule", { max_kpps: 5, direction: "ingress" }, blue, `${path}/packet_rate_limit_rules`);

    const shown = (await api.ask(`/v2.0/${path}`, { headers: blue })).body["policy"] as Body;

    const rules = shown["rules"] as readonly Body[];
    assert.deepEqual(rules.map((rule) => String(rule["type"])).toSorted(), [
      "bandwidth_limit",
      "dscp_marking",
      "packet_rate_limit",
    ]);
    assert.ok(rules.every((rule) => rule["qos_policy_id"] === policy.id));
    assert.equal(shown["revision_number"], 4);
    assert.equal(faultOf(await api.ask(`/v2.0/${path}`, { headers: red })).type, "QosPolicyNotFound");
    assert.equal(faultOf(await api.ask(`/v2.0/${path}/dscp_marking_rules`, { headers: red })).type, "QosPolicyNotFound");
  });

  test("rules are changed and removed, also by their own ids, and one policy has one of a type and direction", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    const path = `qos/policies/${policy.id}/bandwidth_limit_rules`;
    const limit = await api.create("bandwidth_limit_rule", { max_kbps: 1000, max_burst_kbps: 10 }, blue, path);
    const second = { method: "POST", headers: blue, body: { bandwidth_limit_rule: { max_kbps: 5 } } } as const;
    assert.equal(faultOf(await api.ask(`/v2.0/${path}`, second)).type, "QoSRulesConflict");
    const floor = { method: "POST", headers: blue, body: { minimum_bandwidth_rule: { min_kbps: 1001 } } } as const;
    const refused = await api.ask(`/v2.0/qos/policies/${policy.id}/minimum_bandwidth_rules`, floor);
    assert.equal(faultOf(refused).type, "QoSRuleParameterConflict");
    const change = { method: "PUT", headers: blue, body: { bandwidth_limit_rule: { max_kbps: 2000 } } } as const;
    const changed = await api.ask(`/v2.0/${path}/${limit.id}`, change);
    assert.deepEqual(changed.body, { bandwidth_limit_rule: { ...limit, max_kbps: 2000 } });
    const alias = `/v2.0/qos/alias-bandwidth-limit-rules/${limit.id}`;
    const turned = { method: "PUT", headers: blue, body: { alias_bandwidth_limit_rule: { direction: "ingress" } } } as const;
    assert.deepEqual((await api.ask(alias, turned)).body, {
      alias_bandwidth_limit_rule: { ...limit, max_kbps: 2000, direction: "ingress" },
    });
    assert.equal(faultOf(await api.ask(alias, { headers: red })).type, "QosRuleNotFound");
    assert.equal((await api.ask(alias, { method: "DELETE", headers: blue })).status, 204);
    assert.deepEqual(await api.list(path, "", blue, "bandwidth_limit_rules"), []);
    assert.equal(faultOf(await api.ask(`/v2.0/${path}/${limit.id}`, { headers: blue })).type, "QosRuleNotFound");
  });

  test("a least rate of packets is for each direction, or for both together", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    const kind = "minimum_packet_rate_rule";
    const path = `qos/policies/${policy.id}/${kind}s`;
    const refused = async (rule: object, method = "POST", below = "") => {
      const { status, type } = faultOf(
        await api.ask(`/v2.0/${path}${below}`, { method, headers: blue, body: { [kind]: rule } }),
      );
      return `${status} ${type}`;
    };
    const out = await api.create(kind, { min_kpps: 10 }, blue, path);
    assert.deepEqual(out, { id: out.id, min_kpps: 10, direction: "egress" });
    assert.equal(await refused({ min_kpps: 5 }), "409 QoSRulesConflict");
    assert.equal(await refused({ min_kpps: 5, direction: "any" }), "409 QoSRuleParameterConflict");
    const into = await api.create(kind, { min_kpps: 5, direction: "ingress" }, blue, path);
    assert.equal(await refused({ direction: "any" }, "PUT", `/${into.id}`), "409 QoSRuleParameterConflict");
    // A rate of packets is no matter of bandwidth.
    await api.create("bandwidth_limit_rule", { max_kbps: 1 }, blue, `qos/policies/${policy.id}/bandwidth_limit_rules`);

    const alias = `/v2.0/qos/alias-minimum-packet-rate-rules/${out.id}`;
    assert.equal((await api.ask(`/v2.0/${path}/${into.id}`, { method: "DELETE", headers: blue })).status, 204);
    const both = { method: "PUT", headers: blue, body: { [`alias_${kind}`]: { direction: "any", min_kpps: 20 } } } as const;

    assert.deepEqual((await api.ask(alias, both)).body, { [`alias_${kind}`]: { ...out, direction: "any", min_kpps: 20 } });
    assert.equal(await refused({ min_kpps: 5, direction: "ingress" }), "409 QoSRuleParameterConflict");
    const shown = (await api.ask(`/v2.0/qos/policies/${policy.id}`, { headers: blue })).body["policy"] as Body;
    assert.deepEqual((shown["rules"] as readonly Body[]).map((rule) => String(rule["type"])).toSorted(), [
      "bandwidth_limit",
      "minimum_packet_rate",
    ]);
    const port = await api.create("port", { network_id: (await api.create("network", {}, blue)).id, qos_policy_id: policy.id });
    assert.equal(port["resource_request"], null, "nobody keeps it, so nobody is asked to place it");
  });

  test("what a rule cannot be is refused", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    const wrong = [
      ["bandwidth_limit", {}],
      ["bandwidth_limit", { max_kbps: -1 }],
      ["bandwidth_limit", { max_kbps: 2_147_483_648 }],
      ["bandwidth_limit", { max_kbps: 1, direction: "both" }],
      ["bandwidth_limit", { max_kbps: 1, direction: "any" }],
      ["minimum_packet_rate", {}],
      ["minimum_packet_rate", { min_kpps: 1, direction: "both" }],
      ["dscp_marking", { dscp_mark: 9 }],
      ["dscp_marking", { dscp_mark: 8, direction: "egress" }],
    ] as const;
    for (const [type, rule] of wrong) {
      const body = { [`${type}_rule`]: rule };
      const answer = await api.ask(`/v2.0/qos/policies/${policy.id}/${type}_rules`, { method: "POST", headers: blue, body });
      assert.equal(answer.status, 400, JSON.stringify(rule));
    }
  });

  test("a project has one default policy, which its new networks have", async () => {
    const api = await open();
    const policy = await makePolicy(api, { is_default: true });
    const second = { method: "POST", headers: blue, body: { policy: { is_default: true } } } as const;
    assert.equal(faultOf(await api.ask("/v2.0/qos/policies", second)).type, "QoSPolicyDefaultAlreadyExists");
    await makePolicy(api, { is_default: true }, red);
    const network = await api.create("network", {}, blue);
    assert.equal(network["qos_policy_id"], policy.id);
    const none = { method: "PUT", headers: blue, body: { network: { qos_policy_id: null } } } as const;
    const changed = (await api.ask(`/v2.0/networks/${network.id}`, none)).body["network"] as Body;
    assert.deepEqual([changed["qos_policy_id"], changed["revision_number"]], [null, 2]);
    assert.equal((await api.list("qos/policies", "?is_default=true", blue, "policies")).length, 1);
  });

  test("a policy that somebody has stays", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    const outside = await api.create("network", { "router:external": true, qos_policy_id: policy.id });
    await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
    const inside = await api.create("network", {}, blue);
    const has = { qos_policy_id: policy.id };
    const port = await api.create("port", { network_id: inside.id, ...has }, blue);
    const floating = await api.create("floatingip", { floating_network_id: outside.id, ...has }, blue);
    const gateway = { external_gateway_info: { network_id: outside.id, ...has } };
    const router = await api.create("router", gateway, blue);
    assert.deepEqual([port["qos_policy_id"], port["qos_network_policy_id"]], [policy.id, null]);
    assert.deepEqual([floating["qos_policy_id"], floating["qos_network_policy_id"]], [policy.id, policy.id]);
    assert.equal((router["external_gateway_info"] as Body)["qos_policy_id"], policy.id);
    const holders = [
      ["network", `networks/${outside.id}`, { qos_policy_id: null }],
      ["port", `ports/${port.id}`, { qos_policy_id: null }],
      ["floatingip", `floatingips/${floating.id}`, { qos_policy_id: null }],
      ["router", `routers/${router.id}`, { external_gateway_info: null }],
    ] as const;
    for (const [kind, path, changes] of holders) {
      const fault = faultOf(await api.ask(`/v2.0/qos/policies/${policy.id}`, { method: "DELETE", headers: blue }));
      assert.deepEqual([fault.status, fault.type], [409, "QosPolicyInUse"]);
      const released = await api.ask(`/v2.0/${path}`, { method: "PUT", body: { [kind]: changes } });
      assert.equal(released.status, 200, released.text);
    }
    assert.equal((await api.ask(`/v2.0/qos/policies/${policy.id}`, { method: "DELETE", headers: blue })).status, 204);
  });

  test("a foreign policy is not there for others until it is shared, and one that is used stays shared", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    const network = { method: "POST", headers: red, body: { network: { qos_policy_id: policy.id } } } as const;
    assert.equal(faultOf(await api.ask("/v2.0/networks", network)).type, "QosPolicyNotFound");
    const path = `/v2.0/qos/policies/${policy.id}`;
    const share = (shared: boolean) => api.ask(path, { method: "PUT", body: { policy: { shared } } });
    assert.equal((await share(true)).status, 200);
    const made = (await api.ask("/v2.0/networks", network)).body["network"] as Body;
    assert.equal(made["qos_policy_id"], policy.id);
    assert.equal(faultOf(await share(false)).type, "InvalidSharedSetting");
    const own = { method: "PUT", headers: red, body: { policy: { name: "mine" } } } as const;
    assert.equal(faultOf(await api.ask(path, own)).type, "PolicyNotAuthorized");
  });

  test("what an administrator gave, a member does not take away", async () => {
    const api = await open();
    const policy = await makePolicy(api, {}, { "x-project-id": "operators" });
    const network = await api.create("network", {}, blue);
    const port = await api.create("port", { network_id: network.id }, blue);
    const give = { method: "PUT", body: { port: { qos_policy_id: policy.id } } } as const;
    assert.equal((await api.ask(`/v2.0/ports/${port.id}`, give)).status, 200);
    const take = { method: "PUT", headers: blue, body: { port: { qos_policy_id: null } } } as const;
    const fault = faultOf(await api.ask(`/v2.0/ports/${port.id}`, take));
    assert.deepEqual([fault.status, fault.type], [403, "PolicyRemoveAuthorizationError"]);
  });

  test("no type of rule is applied, and those that are kept are told to who asks for all", async () => {
    const api = await open();
    assert.deepEqual(await api.list("qos/rule-types", "", {}, "rule_types"), []);
    const all = await api.list("qos/rule-types", "?all_rules=true", {}, "rule_types");
    assert.deepEqual(
      all.map((one) => one["type"]),
      ["bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate", "packet_rate_limit"],
    );
    assert.equal((await api.ask("/v2.0/qos/rule-types/dscp_marking")).status, 200);
    assert.equal((await api.ask("/v2.0/qos/rule-types/nothing")).status, 404);
  });

  test("policies have tags below both of their paths", async () => {
    const api = await open();
    const policy = await makePolicy(api, {});
    for (const collection of ["policies", "qos/policies"]) {
      const tag = `/v2.0/${collection}/${policy.id}/tags/${collection.length}`;
      assert.equal((await api.ask(tag, { method: "PUT", headers: blue })).status, 201);
    }
    assert.equal((await api.list("qos/policies", "?tags=8,12", blue, "policies")).length, 1);
  });
});
