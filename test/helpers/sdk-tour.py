"""Every resource by openstacksdk, in one process: makes one of each, looks at it, changes it, and removes all again.

Usage: sdk-tour.py <JSON of openstack.connect's arguments> <admin | member>. Prints the names of what it went through, one a line.
An administrator sees all; a member what members may make.
"""

import json
import sys

import openstack

connection = openstack.connect(**json.loads(sys.argv[1]))
is_admin = sys.argv[2] == "admin"
network_api = connection.network
undo = []
somebody = "11111111222233334444555555555555"


def passed(name):
    print(name, flush=True)


def check(is_right, what):
    if not is_right:
        raise SystemExit(f"not as it should be: {what}")


def go_through(name, make, show, every, change, remove, /, **changes):
    """Makes one, finds it again by id and in the list, and changes it; it is removed at the end, last first."""
    made = make()
    undo.append((name, lambda: remove(made)))
    check(show(made.id).id == made.id, f"show of {name}")
    check(made.id in [each.id for each in every()], f"list of {name}")
    if change is not None:
        changed = change(made, **changes)
        for attribute, value in changes.items():
            check(getattr(changed, attribute) == value, f"{attribute} of {name} after a change")
    passed(name)
    return made


def simple(name, plural, values, /, **changes):
    """By the names that the SDK gives to the five verbs."""
    api = network_api
    return go_through(
        name,
        lambda: getattr(api, f"create_{name}")(**values),
        getattr(api, f"get_{name}"),
        getattr(api, plural),
        getattr(api, f"update_{name}") if changes else None,
        getattr(api, f"delete_{name}"),
        **changes,
    )


def tour_networks():
    api = network_api
    net = simple("network", "networks", {"name": "sdk-net"}, description="one", mtu=1400)
    scope = simple("address_scope", "address_scopes", {"name": "sdk-scope", "ip_version": 4}, name="sdk-scope-2")
    pool_values = {"name": "sdk-pool", "prefixes": ["10.64.0.0/16"], "default_prefix_length": 26, "address_scope_id": scope.id}
    pool = simple("subnet_pool", "subnet_pools", pool_values, description="two")
    from_pool = simple("subnet", "subnets", {"network_id": net.id, "ip_version": 4, "subnet_pool_id": pool.id}, name="sdk-sub")
    check(from_pool.cidr.endswith("/26") and from_pool.cidr.startswith("10.64."), "cidr from the pool")
    api.set_tags(net, ["blue", "green"])
    check(sorted(api.get_network(net.id).tags) == ["blue", "green"], "tags")
    check(net.id in [each.id for each in api.networks(tags="blue")], "networks by tag")
    check(net.id not in [each.id for each in api.networks(tags="red")], "networks by another tag")
    passed("tag")
    return net, from_pool


def tour_ports(net):
    port = simple("port", "ports", {"network_id": net.id, "name": "sdk-port"}, description="three", device_id="an instance")
    bulk = list(network_api.create_ports([{"network_id": net.id}, {"network_id": net.id}]))
    check(len(bulk) == 2, "two ports at once")
    for each in bulk:
        undo.append(("port of a bulk", lambda each=each: network_api.delete_port(each)))
    passed("ports")
    return port


def tour_security():
    api = network_api
    group = simple("security_group", "security_groups", {"name": "sdk-group"}, description="four")
    rule = {"security_group_id": group.id, "direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
    simple("security_group_rule", "security_group_rules", rule)
    addresses = simple("address_group", "address_groups", {"name": "sdk-blocks", "addresses": ["192.0.2.0/24"]}, description="five")
    api.add_addresses_to_address_group(addresses, ["198.51.100.0/24"])
    shown = api.remove_addresses_from_address_group(addresses, ["192.0.2.0/24"])
    check(shown.addresses == ["198.51.100.0/24"], "addresses of the group")
    return group


def tour_routers(subnet, port):
    api = network_api
    router = simple("router", "routers", {"name": "sdk-router"}, description="six")
    api.add_interface_to_router(router, subnet_id=subnet.id)
    undo.append(("router interface", lambda: api.remove_interface_from_router(router, subnet_id=subnet.id)))
    passed("router interface")
    nexthop = subnet.cidr.rsplit(".", 1)[0] + "." + str(int(subnet.cidr.rsplit(".", 1)[1].split("/")[0]) + 60)
    routes = {"router": {"routes": [{"destination": "10.99.0.0/16", "nexthop": nexthop}]}}
    check(len(api.add_extra_routes_to_router(router, routes).routes) == 1, "extra routes")
    undo.append(("extra routes", lambda: api.remove_extra_routes_from_router(router, routes)))
    passed("extra route")
    outside = next(api.networks(name="outside"))
    api.update_router(router, external_gateway_info={"network_id": outside.id})
    undo.append(("gateway", lambda: api.update_router(router, external_gateway_info=None)))
    floating = simple("ip", "ips", {"floating_network_id": outside.id}, description="seven", port_id=port.id)
    check(floating.floating_ip_address.startswith("203.0.113."), "floating address")
    api.update_ip(floating, port_id=None)
    forwarding = {"protocol": "tcp", "external_port": 8080, "internal_port": 80, "internal_port_id": port.id}
    made = api.create_floating_ip_port_forwarding(floating, internal_ip_address=port.fixed_ips[0]["ip_address"], **forwarding)
    check([each.id for each in api.floating_ip_port_forwardings(floating)] == [made.id], "port forwardings")
    check(api.get_floating_ip_port_forwarding(floating, made.id).external_port == 8080, "external port")
    changed = api.update_floating_ip_port_forwarding(floating, made.id, external_port=8081)
    check(changed.external_port == 8081, "external port after a change")
    undo.append(("port forwarding", lambda: api.delete_floating_ip_port_forwarding(floating, made.id)))
    passed("port forwarding")
    if has("l3-conntrack-helper"):
        helper = api.create_conntrack_helper(router, protocol="udp", port=69, helper="tftp")
        check([each.id for each in api.conntrack_helpers(router)] == [helper.id], "conntrack helpers")
        undo.append(("conntrack helper", lambda: api.delete_conntrack_helper(helper, router)))
        passed("conntrack helper")
    return router


def tour_qos():
    api = network_api
    policy = simple("qos_policy", "qos_policies", {"name": "sdk-slow"}, description="eight")
    rules = {
        "bandwidth_limit": ({"max_kbps": 1000}, {"max_burst_kbps": 100}),
        "dscp_marking": ({"dscp_mark": 10}, {"dscp_mark": 12}),
        "minimum_bandwidth": ({"min_kbps": 500}, {"min_kbps": 600}),
    }
    for kind, (values, changes) in rules.items():
        made = getattr(api, f"create_qos_{kind}_rule")(policy, **values)
        undo.append((kind, lambda kind=kind, made=made: getattr(api, f"delete_qos_{kind}_rule")(made, policy)))
        check([each.id for each in getattr(api, f"qos_{kind}_rules")(policy)] == [made.id], f"{kind} rules")
        getattr(api, f"update_qos_{kind}_rule")(made, policy, **changes)
        shown = getattr(api, f"get_qos_{kind}_rule")(made, policy)
        check(all(getattr(shown, name) == value for name, value in changes.items()), f"{kind} rule after a change")
        passed(f"qos {kind} rule")
    check({"bandwidth_limit", "dscp_marking"} <= {each.type for each in api.qos_rule_types(all_rules=True)}, "rule types")
    passed("qos rule type")


def tour_trunks(net):
    parent = network_api.create_port(network_id=net.id, name="sdk-parent")
    undo.append(("parent port", lambda: network_api.delete_port(parent)))
    child = network_api.create_port(network_id=net.id, name="sdk-child")
    undo.append(("child port", lambda: network_api.delete_port(child)))
    trunk = simple("trunk", "trunks", {"name": "sdk-trunk", "port_id": parent.id}, description="nine")
    sub_port = {"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 7}
    network_api.add_trunk_subports(trunk, [sub_port])
    check(len(network_api.get_trunk_subports(trunk)["sub_ports"]) == 1, "sub ports")
    network_api.delete_trunk_subports(trunk, [{"port_id": child.id}])
    passed("trunk sub port")


def tour_sharing(net):
    values = {"object_type": "network", "object_id": net.id, "action": "access_as_shared", "target_project_id": somebody}
    simple("rbac_policy", "rbac_policies", values, target_project_id=somebody[::-1])


def tour_what_is_only_seen(net, router):
    api = network_api
    check(has("router") and api.find_extension("router").alias == "router", "extensions")
    passed("extension")
    project = connection.current_project_id or "00000000000000000000000000000001"
    check(api.get_quota(project).networks is not None, "quota")
    check(api.get_quota(project, details=True).networks["used"] >= 1, "use of the quota")
    check(api.get_quota_default(project).networks is not None, "default quota")
    passed("quota")
    check(list(api.service_providers()) == [] and list(api.flavors()) == [], "empty lists")
    check(list(api.service_profiles()) == [], "empty lists")
    passed("flavor")
    {(each.name, each.resource) for each in api.availability_zones()}
    passed("availability zone")
    check([pool["subnet_name"] for pool in connection.network.get("/floatingip_pools").json()["floatingip_pools"]] != [], "pools")
    passed("floating IP pool")


def tour_operators(net, router):
    api = network_api
    ranges = {"name": "sdk-range", "network_type": "vxlan", "minimum": 7000, "maximum": 7010, "shared": True}
    simple("network_segment_range", "network_segment_ranges", ranges, maximum=7020)
    vxlan = api.create_network(name="sdk-vxlan", provider_network_type="vxlan")
    undo.append(("vxlan network", lambda: api.delete_network(vxlan)))
    check(vxlan.provider_segmentation_id == 7000 or 7000 <= vxlan.provider_segmentation_id <= 7020, "segment of the range")
    check([each.network_id for each in api.segments(network_id=vxlan.id)] == [vxlan.id], "segments")
    simple("segment", "segments", {"network_id": vxlan.id, "network_type": "vxlan", "segmentation_id": 7015}, name="sdk-segment")
    availability = [each for each in api.network_ip_availabilities() if each.network_id == net.id]
    check(len(availability) == 1 and availability[0].used_ips >= 1, "use of addresses")
    check(api.get_network_ip_availability(net.id).total_ips > 30, "addresses that there are")
    passed("network IP availability")
    changed = api.update_quota(somebody, networks=7)
    check(changed.networks == 7 and api.get_quota(somebody).networks == 7, "changed quota")
    check(somebody in [each.project_id for each in api.quotas()], "quotas")
    api.delete_quota(somebody)
    passed("quota of another project")
    agents = list(api.agents())
    check(all(api.get_agent(agent.id).id == agent.id for agent in agents), "agents")
    for agent in agents:
        if agent.agent_type == "DHCP agent":
            check(api.update_agent(agent, description="looked at").description == "looked at", "changed agent")
            api.dhcp_agent_hosting_networks(agent)
    check(list(api.network_hosting_dhcp_agents(net)) is not None, "agents of a network")
    check(list(api.routers_hosting_l3_agents(router)) is not None, "agents of a router")
    passed("agent")


def has(alias):
    return alias in aliases


aliases = {each.alias for each in network_api.extensions()}
try:
    net, subnet = tour_networks()
    port = tour_ports(net)
    tour_security()
    router = tour_routers(subnet, port)
    tour_qos()
    tour_trunks(net)
    tour_sharing(net)
    tour_what_is_only_seen(net, router)
    if is_admin:
        tour_operators(net, router)
finally:
    for name, step in reversed(undo):
        try:
            step()
        except Exception as error:  # the rest is removed all the same, and the tour has failed
            print(f"{name} cannot be removed: {error}", file=sys.stderr)
            raise
passed("everything removed")
