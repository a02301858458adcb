// Rules of security groups and their templates over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import type { Answer } from "../../helpers/fake-api.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };
const nowhere = "99999999-2222-4333-8444-555555555555";

interface Scene {
  readonly api: RealApi;
  readonly groupId: string;
  readonly post: (rule: object, headers?: Record<string, string>) => Promise<Answer>;
  readonly bulk: (rules: readonly object[]) => Promise<Answer>;
  readonly rules: (query?: string) => Promise<readonly Body[]>;
}

/** What a client sends → the error that it gets, on an egress rule of IPv4 unless the wish says otherwise. */
const refusals: readonly (readonly [wish: object, fault: string])[] = [
  [{ direction: "sideways" }, "HTTPBadRequest"],
  [{ ethertype: "IPX" }, "SecurityGroupRuleInvalidEtherType"],
  [{ protocol: "carrier-pigeon" }, "SecurityGroupRuleInvalidProtocol"],
  [{ protocol: 256 }, "SecurityGroupRuleInvalidProtocol"],
  [{ protocol: -1 }, "SecurityGroupRuleInvalidProtocol"],
  [{ protocol: "ipv6-icmp" }, "SecurityGroupEthertypeConflictWithProtocol"],
  [{ protocol: "58" }, "SecurityGroupEthertypeConflictWithProtocol"],
  [{ port_range_min: 80, port_range_max: 80 }, "SecurityGroupProtocolRequiredWithPorts"],
  [{ protocol: "any", port_range_min: 80, port_range_max: 80 }, "SecurityGroupProtocolRequiredWithPorts"],
  [{ protocol: "tcp", port_range_min: 80 }, "SecurityGroupInvalidPortRange"],
  [{ protocol: "tcp", port_range_max: 80 }, "SecurityGroupInvalidPortRange"],
  [{ protocol: "udp", port_range_min: 81, port_range_max: 80 }, "SecurityGroupInvalidPortRange"],
  [{ protocol: "sctp", port_range_min: 0, port_range_max: 80 }, "SecurityGroupInvalidPortValue"],
  [{ protocol: "tcp", port_range_min: 1, port_range_max: 65_536 }, "SecurityGroupInvalidPortValue"],
  [{ protocol: "tcp", port_range_min: -1, port_range_max: 1 }, "SecurityGroupInvalidPortValue"],
  [{ protocol: "icmp", port_range_min: 256 }, "SecurityGroupInvalidIcmpValue"],
  [{ protocol: "icmp", port_range_min: 8, port_range_max: 300 }, "SecurityGroupInvalidIcmpValue"],
  [{ protocol: 1, port_range_max: 0 }, "SecurityGroupMissingIcmpType"],
  [{ protocol: "gre", port_range_min: 1, port_range_max: 80 }, "SecurityGroupInvalidProtocolForPort"],
  [{ protocol: "gre", port_range_max: 65_535 }, "SecurityGroupInvalidProtocolForPort"],
  [{ remote_ip_prefix: "2001:db8::/32" }, "SecurityGroupRuleParameterConflict"],
  [{ remote_ip_prefix: "10.0.0.0/33" }, "InvalidCIDR"],
  [{ remote_ip_prefix: "somewhere" }, "InvalidCIDR"],
  [{ remote_group_id: "PARENT" }, "HTTPBadRequest"],
  [{ remote_group_id: nowhere }, "SecurityGroupNotFound"],
  [{ remote_address_group_id: nowhere }, "AddressGroupNotFound"],
  [{ remote_group_id: nowhere, remote_ip_prefix: "10.0.0.0/8" }, "SecurityGroupMultipleRemoteEntites"],
  [{ remote_group_id: nowhere, remote_address_group_id: nowhere }, "SecurityGroupMultipleRemoteEntites"],
  [{ security_group_id: nowhere }, "SecurityGroupNotFound"],
  [{ normalized_cidr: "10.0.0.0/8" }, "HTTPBadRequest"],
];

/** What a client sends → what is stored of it. */
const spellings: readonly (readonly [wish: object, stored: object])[] = [
  [
    { ethertype: "ipv6", protocol: "icmp" },
    { ethertype: "IPv6", protocol: "ipv6-icmp" },
  ],
  [
    { ethertype: "IPV6", protocol: "ICMPv6", port_range_min: 128 },
    { protocol: "ipv6-icmp", port_range_min: 128 },
  ],
  [
    { protocol: "TCP", port_range_min: "22", port_range_max: 22 },
    { protocol: "tcp", port_range_min: 22 },
  ],
  [
    { protocol: 17, port_range_min: 1, port_range_max: 65_535 },
    { protocol: "17", port_range_max: 65_535 },
  ],
  [
    { protocol: "icmp", port_range_min: 8, port_range_max: 0 },
    { port_range_min: 8, port_range_max: 0 },
  ],
  [
    { protocol: "gre", port_range_min: 1, port_range_max: 65_535 },
    { protocol: "gre", port_range_min: null },
  ],
  [{ remote_ip_prefix: "10.1.2.3" }, { remote_ip_prefix: "10.1.2.3/32", normalized_cidr: "10.1.2.3/32" }],
  [{ remote_ip_prefix: "10.1.2.3/8" }, { remote_ip_prefix: "10.1.2.3/8", normalized_cidr: "10.0.0.0/8" }],
  [
    { ethertype: "IPv6", remote_ip_prefix: "2001:DB8:0::1/32" },
    { remote_ip_prefix: "2001:db8::1/32", normalized_cidr: "2001:db8::/32" },
  ],
];

forEachDatabase((_engine, openFresh) => {
  async function open(): Promise<Scene> {
    const api = new RealApi(await openFresh());
    const group = await api.create("security_group", { name: "web" }, blue, "security-groups");
    const base = { direction: "egress", security_group_id: group.id };
    const send = (body: object, headers: Record<string, string> = blue) =>
      api.ask("/v2.0/security-group-rules", { method: "POST", headers, body });
    return {
      api,
      groupId: group.id,
      post: (rule, headers) => send({ security_group_rule: { ...base, ...rule } }, headers),
      bulk: (rules) => send({ security_group_rules: rules.map((rule) => ({ ...base, ...rule })) }),
      rules: (query = "") => api.list("security-group-rules", query, blue, "security_group_rules"),
    };
  }

  test("a rule that says nothing sensible is refused by its name, and nothing changes", async () => {
    const { api, post } = await open();
    const before = await api.dump();

    for (const [wish, fault] of refusals) {
      const answer = faultOf(await post(wish));
      assert.deepEqual([answer.type, answer.status < 500], [fault, true], JSON.stringify(wish));
    }

    assert.equal(await api.dump(), before);
  });

  test("spellings are stored in one form", async () => {
    const { post } = await open();
    for (const [wish, stored] of spellings) {
      const answer = await post(wish);
      assert.equal(answer.status, 201, answer.text);
      const rule = answer.body["security_group_rule"] as Body;
      const names = Object.keys(stored);
      assert.deepEqual(Object.fromEntries(names.map((name) => [name, rule[name]])), stored, JSON.stringify(wish));
    }
  });

  test("the same rule is made once, however it is spelled, by two clients at once too", async () => {
    const { api, post, bulk, groupId, rules } = await open();
    // New groups let everything out: so say the templates.
    for (const twin of [{}, { protocol: "any" }, { protocol: 0 }, { remote_ip_prefix: "0.0.0.0/0" }]) {
      assert.equal(faultOf(await post(twin)).type, "SecurityGroupRuleExists", JSON.stringify(twin));
    }
    const both = [
      { protocol: "tcp", port_range_min: 1, port_range_max: 2 },
      { protocol: 6, port_range_min: 1, port_range_max: 2, description: "again" },
    ];
    const refused = faultOf(await bulk(both));
    assert.deepEqual([refused.status, refused.type], [409, "DuplicateSecurityGroupRuleInPost"]);
    const raced = await Promise.all(both.map((rule) => post(rule)));
    assert.equal(raced.filter(({ status }) => status === 201).length, 1);
    assert.equal(raced.filter(({ text }) => text.includes("SecurityGroupRuleExists")).length, 1);
    assert.equal((await rules(`?security_group_id=${groupId}&protocol=TCP`)).length, 1);
    const { body } = await api.ask(`/v2.0/security-groups/${groupId}`, { headers: blue });
    assert.equal((body["security_group"] as Body)["revision_number"], 2);
  });

  test("a bulk concerns one group of one project, and is made whole or not at all", async () => {
    const { api, bulk, rules, groupId } = await open();
    const other = await api.create("security_group", { name: "other" }, blue, "security-groups");
    const tcp = (port: number) => ({ protocol: "tcp", port_range_min: port, port_range_max: port });
    const of = (security_group_id: string, port: number) => ({ security_group_id, ...tcp(port) });
    assert.equal(faultOf(await bulk([of(groupId, 1), of(other.id, 2)])).type, "SecurityGroupNotSingleGroupRules");
    const projects = ["blue", "red"].map((project_id, index) => ({
      direction: "egress",
      ...of(groupId, index + 1),
      project_id,
    }));
    const asAdmin = { method: "POST", body: { security_group_rules: projects } } as const;
    const refused = faultOf(await api.ask("/v2.0/security-group-rules", asAdmin));
    assert.equal(refused.type, "SecurityGroupRulesNotSingleTenant");
    assert.equal((await bulk([tcp(1), tcp(2), { protocol: "tcp", port_range_min: 3 }])).status, 400);
    assert.deepEqual(await rules("?protocol=tcp"), []);
    const made = await bulk([tcp(1), tcp(2)]);
    const ports = (made.body["security_group_rules"] as readonly Body[]).map((rule) => rule["port_range_min"]);
    assert.deepEqual(ports, [1, 2]);
  });

  test("rules are shown, found and removed by their project, and have no PUT", async () => {
    const { api, post, rules, groupId } = await open();
    const made = (await post({ protocol: "tcp", port_range_min: 80, port_range_max: 80, remote_ip_prefix: "10.1.2.3/8" })).body;
    const rule = made["security_group_rule"] as Body;
    const path = `/v2.0/security-group-rules/${rule.id}`;
    assert.deepEqual((await api.ask(path, { headers: blue })).body, made);
    assert.deepEqual([rule["project_id"], rule["belongs_to_default_sg"], rule["description"]], ["blue", false, ""]);
    for (const query of ["normalized_cidr=10.0.0.0/8", "remote_ip_prefix=10.1.2.3/8", "port_range_min=80", "protocol=tcp"]) {
      assert.deepEqual(
        (await rules(`?${query}`)).map(({ id }) => id),
        [rule.id],
        query,
      );
    }
    const ofDefault = await rules("?belongs_to_default_sg=true");
    assert.deepEqual([ofDefault.length, ofDefault.some((each) => each["security_group_id"] === groupId)], [4, false]);
    assert.equal((await api.ask(path, { method: "PUT", headers: blue, body: { security_group_rule: {} } })).status, 405);
    for (const method of ["GET", "DELETE"]) {
      assert.equal(faultOf(await api.ask(path, { method, headers: red })).type, "SecurityGroupRuleNotFound");
    }
    assert.equal(faultOf(await post({ protocol: "udp" }, red)).type, "SecurityGroupNotFound");
    const conditional = { method: "DELETE", headers: { ...blue, "if-match": "revision_number=7" } };
    assert.equal((await api.ask(path, conditional)).status, 412);
    assert.equal((await api.ask(path, { method: "DELETE", headers: blue })).status, 204);
    const { body } = await api.ask(`/v2.0/security-groups/${groupId}`, { headers: blue });
    assert.equal((body["security_group"] as Body)["revision_number"], 3);
    assert.equal((await api.ask(path, { method: "DELETE", headers: blue })).status, 404);
  });

  test("templates are the administrator's, and make the rules of groups to come", async () => {
    const { api, groupId, rules } = await open();
    const path = "/v2.0/default-security-group-rules";
    const ssh = { direction: "ingress", protocol: "tcp", port_range_min: 22, port_range_max: 22, remote_group_id: "PARENT" };
    const post = (wish: object, headers = {}) =>
      api.ask(path, { method: "POST", headers, body: { default_security_group_rule: { ...ssh, ...wish } } });
    assert.equal(faultOf(await post({}, blue)).type, "PolicyNotAuthorized");
    assert.equal(faultOf(await post({ port_range_max: 21 })).type, "SecurityGroupInvalidPortRange");
    const made = await post({ used_in_default_sg: true });
    const template = made.body["default_security_group_rule"] as Body;
    assert.deepEqual(
      [template["remote_group_id"], template["used_in_default_sg"], template["used_in_non_default_sg"]],
      ["PARENT", true, true],
    );
    assert.equal(faultOf(await post({ protocol: 6 })).type, "DefaultSecurityGroupRuleExists");
    assert.deepEqual((await api.ask(path, { headers: blue })).body, { default_security_group_rules: [] });
    const listed = await api.list("default-security-group-rules", "", {}, "default_security_group_rules");
    assert.equal(listed.length, 5);
    assert.equal(
      (await api.list("default-security-group-rules", "?remote_group_id=PARENT", {}, "default_security_group_rules")).length,
      3,
    );

    const later = await api.create("security_group", { name: "later" }, blue, "security-groups");
    const [standard] = await api.list("security-groups", "", red, "security_groups");

    for (const group of [later, standard]) {
      const own = (group?.["security_group_rules"] ?? []) as readonly Body[];
      const found = own.filter((rule) => rule["port_range_min"] === 22);
      assert.deepEqual(
        found.map((rule) => rule["remote_group_id"]),
        [group?.id],
      );
    }
    assert.equal((await rules(`?security_group_id=${groupId}`)).length, 2);
    const one = `${path}/${template.id}`;
    assert.equal(faultOf(await api.ask(one, { method: "DELETE", headers: blue })).type, "DefaultSecurityGroupRuleNotFound");
    assert.equal((await api.ask(one, { method: "DELETE" })).status, 204);
    assert.equal((await api.ask(one)).status, 404);
  });
});
