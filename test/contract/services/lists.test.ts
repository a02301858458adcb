import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListQuery } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import {
  admin,
  createOne,
  everything,
  idOf,
  member,
  networkWithSubnet,
  servicesOn,
  type TestServices,
} from "../../helpers/network-services.ts";

const someId = "11111111-2222-4333-8444-555555555555";
const by = (...keys: string[]): ListQuery["sorts"] =>
  keys.map((key) => (key.startsWith("-") ? { key: key.slice(1), direction: "desc" } : { key, direction: "asc" }));
const filter = (attribute: string, ...values: (string | number | boolean | null)[]): ListQuery => ({
  ...everything,
  filters: [{ attribute, values }],
  sorts: by("name"),
});
const names = (objects: readonly Readonly<Record<string, unknown>>[]): string =>
  objects.map((object) => object["name"]).join("");

/** Names a–f; two MTUs, so that the order by MTU has ties; segments with a hole. */
async function sixNetworks(services: TestServices): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const [index, name] of ["d", "a", "f", "b", "e", "c"].entries()) {
    const provider = index < 3 ? { "provider:network_type": "vxlan", "provider:segmentation_id": 100 + index } : {};
    const body = { name, mtu: index % 2 === 0 ? 1400 : 1450, shared: index === 0, ...provider };
    ids.set(name, idOf(await createOne(services.networks, body)));
  }
  return ids;
}

/** Names a–f on one network; half of them without a gateway. */
async function sixSubnets(services: TestServices): Promise<void> {
  const network_id = idOf(await createOne(services.networks, {}));
  for (const [index, name] of ["d", "a", "f", "b", "e", "c"].entries()) {
    const gateway = index < 3 ? {} : { gateway_ip: null };
    await createOne(services.subnets, { network_id, name, ip_version: 4, cidr: `10.0.${index}.0/24`, ...gateway });
  }
}

forEachDatabase((_name, openFresh) => {
  test("filters: one attribute's values are alternatives, several attributes must all hold", async () => {
    const services = servicesOn(await openFresh());
    await sixNetworks(services);
    const { networks } = services;
    const list = async (query: ListQuery) => names(await networks.list(admin, query));

    assert.equal(await list(filter("name", "a", "c", "zzz")), "ac");
    assert.equal(await list(filter("mtu", 1400)), "def");
    assert.equal(await list(filter("shared", true)), "d");
    assert.equal(await list(filter("provider:segmentation_id", null)), "bce");
    assert.equal(await list(filter("provider:segmentation_id", null, 100)), "bcde");
    assert.equal(await list(filter("provider:segmentation_id", 99_999_999_999)), "");
    const both = [...filter("mtu", 1450).filters, ...filter("name", "a", "d").filters];
    assert.equal(await list({ ...everything, filters: both }), "a");
    assert.equal(await list(filter("name", "' or 1=1 --")), "");
  });

  test("sorting by several keys", async () => {
    const services = servicesOn(await openFresh());
    await sixNetworks(services);
    const list = async (sorts: ListQuery["sorts"]) => names(await services.networks.list(admin, { ...everything, sorts }));

    assert.equal(await list(by("name")), "abcdef");
    assert.equal(await list(by("-mtu", "name")), "abcdef".replace(/[def]/g, "") + "def");
  });

  test("in a sorted list null comes first in ascending order", async () => {
    const services = servicesOn(await openFresh());
    await sixSubnets(services);
    const list = async (sorts: ListQuery["sorts"]) => names(await services.subnets.list(admin, { ...everything, sorts }));

    assert.equal(await list(by("gateway_ip", "-name")), "ecb" + "daf");
    assert.equal(await list(by("-gateway_ip", "name")), "fad" + "bce");
  });

  test("pages lead through everything in both directions, across ties and nulls", async () => {
    const services = servicesOn(await openFresh());
    await sixSubnets(services);
    const { subnets } = services;
    for (const sorts of [by("name"), by("ip_version"), by("-ip_version", "name"), by("gateway_ip"), by("-gateway_ip"), []]) {
      const whole = (await subnets.list(admin, { ...everything, sorts })).map(idOf);

      const walk = async (pageReverse: boolean): Promise<string[][]> => {
        const pages: string[][] = [];
        for (let marker: string | undefined; ; ) {
          const page = await subnets.list(admin, { ...everything, sorts, limit: 2, pageReverse, ...(marker && { marker }) });
          if (page.length === 0) return pages;
          pages.push(page.map(idOf));
          marker = idOf((pageReverse ? page[0] : page.at(-1)) ?? {});
        }
      };

      assert.deepEqual((await walk(false)).flat(), whole);
      assert.deepEqual((await walk(true)).reverse().flat(), whole);
    }
  });

  test("a marker that is unknown, or not the caller's to see, is not found", async () => {
    const services = servicesOn(await openFresh());
    const ids = await sixNetworks(services);
    const { networks } = services;

    await assertFault(networks.list(admin, { ...everything, marker: someId }), "NetworkNotFound");
    await assertFault(networks.list(member("p2"), { ...everything, marker: ids.get("a") ?? "" }), "NetworkNotFound");
  });

  test("changed_since gives what was made or changed from then on", async () => {
    const services = servicesOn(await openFresh());
    const ids = await sixNetworks(services);
    const changedSince = services.clock.step(60);
    await services.networks.update(admin, ids.get("b") ?? "", { mtu: 1300 });
    await createOne(services.networks, { name: "g" });

    assert.equal(names(await services.networks.list(admin, { ...everything, sorts: by("name"), changedSince })), "bg");
  });

  test("subnets are found by what their network is", async () => {
    const services = servicesOn(await openFresh());
    const open = await networkWithSubnet(services, { network: { shared: true } });
    const closed = await networkWithSubnet(services);
    const list = async (query: ListQuery) => (await services.subnets.list(admin, { ...query, sorts: [] })).map(idOf);

    assert.deepEqual(await list(filter("shared", true)), [open.subnetId]);
    assert.deepEqual(await list(filter("shared", false)), [closed.subnetId]);
    assert.equal((await list(filter("cidr", "10.0.0.0/24"))).length, 2);
    assert.deepEqual(await list(filter("router:external", true)), []);
    assert.deepEqual(await list(filter("subnetpool_id", open.subnetId)), []);
  });

  test("ports are found by address, part of an address, subnet and MAC", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services);
    const made = await services.ports.create(admin, [
      { network_id: networkId, name: "a", fixed_ips: [{ ip_address: "10.0.0.21" }], mac_address: "fa:16:3e:00:00:01" },
      { network_id: networkId, name: "b", fixed_ips: [{ ip_address: "10.0.0.121" }, { ip_address: "10.0.0.7" }] },
      { network_id: networkId, name: "c", fixed_ips: [] },
    ]);
    const list = async (query: ListQuery) => names(await services.ports.list(admin, query));

    assert.equal(await list(filter("fixed_ips.ip_address", "10.0.0.21", "10.0.0.7")), "ab");
    assert.equal(await list(filter("fixed_ips.ip_address_substr", "21")), "ab");
    assert.equal(await list(filter("fixed_ips.ip_address_substr", "%", "_")), "");
    assert.equal(await list(filter("fixed_ips.subnet_id", subnetId)), "ab");
    assert.equal(await list(filter("fixed_ips.subnet_id", someId)), "");
    assert.equal(await list(filter("mac_address", "fa:16:3e:00:00:01")), "a");
    assert.equal(await list(filter("id", ...made.slice(1).map(idOf))), "bc");
  });
});
