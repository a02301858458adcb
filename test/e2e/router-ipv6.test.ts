// IPv6 through a router with whole programs: what the API says of addresses, what instances make of the router's advertisements,
// packets between networks and to the outside, metadata, and DHCPv6 beside advertisements. The tests share one start and one router.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { failAfterTheFirst } from "../helpers/dependent-tests.ts";
import { runDhcpClient } from "../helpers/dhcp-client.ts";
import { FloatingSite } from "../helpers/floating-site.ts";
import { createNamespace, deleteNamespace, sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { netloom } from "../helpers/netloom-up.ts";
import type { Json } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

type Mode = "slaac" | "dhcpv6-stateless";

interface Guest {
  readonly namespace: string;
  readonly port: Json & { readonly id: string };
  /** As the API gave it. */
  readonly address: string;
}

interface Link {
  readonly addr_info: readonly { readonly local: string; readonly scope: string; readonly tentative?: boolean }[];
}

const limits = (what: string) => ({ limitMs: 20_000, what });
const addressesOf = (port: Json): readonly string[] =>
  (port["fixed_ips"] as readonly { readonly ip_address: string }[]).map((fixed) => fixed.ip_address);

describe("IPv6 through a router", { skip: skipWithoutRoot }, () => {
  let site: FloatingSite;
  let one: Guest;
  let two: Guest;
  const namespaces: string[] = [];

  const inside = ({ namespace }: Guest, ...words: readonly string[]): Promise<string> =>
    sh("ip", "netns", "exec", namespace, ...words);
  const pings = (from: Guest, to: string): Promise<unknown> =>
    waitFor(() => inside(from, "ping", "-6", "-n", "-c", "1", "-W", "2", to).then(() => true), limits(`an answer of ${to}`));
  /** Usable ones: duplicates of them were looked for. */
  const globalsOf = async ({ namespace }: Guest): Promise<readonly string[]> => {
    const [link] = JSON.parse(await sh("ip", "-n", namespace, "-6", "-j", "addr", "show", "dev", "eth0")) as readonly Link[];
    const usable = (link?.addr_info ?? []).filter(({ scope, tentative }) => scope === "global" && tentative !== true);
    return usable.map(({ local }) => local);
  };

  async function addNetwork(mode: Mode, n: number): Promise<{ readonly id: string; readonly subnetId: string }> {
    const { client } = site;
    const { id } = await client.create("network", { name: mode });
    const subnet = await client.create("subnet", {
      ...{ network_id: id, ip_version: 6, cidr: `2001:db8:${n}::/64`, ipv6_ra_mode: mode, ipv6_address_mode: mode },
      dns_nameservers: [`2001:db8:${n}::53`],
    });
    return { id, subnetId: subnet.id };
  }

  /** Nobody tells it any address: all that it has, it heard on the wire. */
  async function plug(name: string, networkId: string): Promise<Guest> {
    const port = await site.client.create("port", { network_id: networkId, name });
    const namespace = await createNamespace(`${site.up.prefix}${name}`);
    namespaces.push(namespace);
    const where = ["--url", site.up.url, "--state-dir", site.up.stateDir];
    const plugged = await netloom(["port", "plug", port.id, "--netns", namespace, ...where]);
    assert.equal(plugged.exitCode, 0, plugged.stderr);
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
    await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
    const [address = ""] = addressesOf(port);
    return { namespace, port, address };
  }

  failAfterTheFirst();
  before(async () => {
    site = await FloatingSite.create();
    const { client, externalId, outside } = site;
    await client.create("subnet", {
      ...{ network_id: externalId, ip_version: 6, cidr: "2001:db8:ffff::/64", gateway_ip: "2001:db8:ffff::fe" },
      enable_dhcp: false,
    });
    const networks = [await addNetwork("slaac", 1), await addNetwork("dhcpv6-stateless", 2)];
    const routerId = await site.router(...networks.map((network) => ({ ...network, gatewayIp: "" })));
    const info = (await client.show("router", routerId))["external_gateway_info"] as Json;
    const own = (info["external_fixed_ips"] as readonly { readonly ip_address: string }[]).find(({ ip_address }) =>
      ip_address.includes(":"),
    );
    await sh("ip", "-n", outside.namespace, "-6", "route", "add", "2001:db8:0::/46", "via", own?.ip_address ?? "");
    [one, two] = [await plug("one", networks[0]?.id ?? ""), await plug("two", networks[1]?.id ?? "")];
  });
  after(async () => {
    for (const namespace of namespaces) await deleteNamespace(namespace);
    await site?.destroy();
  });

  test("L3-84: instances make the addresses that the API told, and their way out, of the router's advertisements", async () => {
    for (const guest of [one, two]) {
      await waitFor(async () => (await globalsOf(guest)).includes(guest.address), limits(`${guest.address} by advertisement`));
      assert.deepEqual(await globalsOf(guest), [guest.address]);
      assert.match(await inside(guest, "ip", "-6", "route", "show", "default"), /^default via fe80::\S+ dev eth0 proto ra/);
    }
  });

  test("they reach each other and the outside, and are reached, with their own addresses", async () => {
    await pings(one, two.address);
    await pings(two, one.address);
    await pings(one, "2001:db8:ffff::fe");
    await waitFor(
      () => sh("ip", "netns", "exec", site.outside.namespace, "ping", "-6", "-n", "-c", "1", "-W", "2", two.address),
      limits("an answer to the outside"),
    );
  });

  test("metadata answers each by its link-local address, as who it is", async () => {
    for (const { namespace, port } of [one, two]) {
      const url = "http://[fe80::a9fe:a9fe%25eth0]/openstack/latest/meta_data.json";
      const text = await waitFor(
        () => sh("ip", "netns", "exec", namespace, "curl", "-sfg", "-m", "5", url),
        limits("metadata"),
      );
      const [{ hostname } = { hostname: "" }] = port["dns_assignment"] as readonly { readonly hostname: string }[];
      assert.notEqual(hostname, "");
      assert.equal((JSON.parse(text) as { readonly name: string }).name, hostname);
    }
  });

  test("dhcpv6-stateless: the DHCP agent gives name servers and no address, beside the router's advertisements", async () => {
    const asked = { kind: "dhclient6", flags: ["-S"], limitMs: 10_000 } as const;
    const answer = await waitFor(() => runDhcpClient(two.namespace, "eth0", asked), limits("an answer by DHCPv6"));

    assert.deepEqual(answer.dnsServers, ["2001:db8:2::53"]);
    assert.equal(answer.ipAddress, "");
    assert.deepEqual(await globalsOf(two), [two.address]);
  });

  test("a router that is switched off takes its advertisements along, and returns with them", async () => {
    const [router] = await site.client.list("router");
    const hasDefault = async (): Promise<boolean> =>
      (await inside(one, "ip", "-6", "route", "show", "default")).includes("proto ra");
    await site.client.update("router", router?.id ?? "", { admin_state_up: false });
    await waitFor(async () => !(await hasDefault()), limits("no way out of a router that is down"));

    await site.client.update("router", router?.id ?? "", { admin_state_up: true });
    await waitFor(hasDefault, limits("the way out again"));
    await pings(one, two.address);
  });
});
