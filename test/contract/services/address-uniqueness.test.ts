// No address is given twice, whoever asks at the same time: the promise that everything else of address management serves.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore } from "../../../src/server/store/database.ts";
import { ApiFault, type FaultType } from "../../../src/types/api-faults.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import {
  addressesOf,
  admin,
  createOne,
  idOf,
  networkWithSubnet,
  servicesOn,
  type TestServices,
} from "../../helpers/network-services.ts";

type Step =
  | { readonly kind: "create"; readonly count: number }
  | { readonly kind: "exact"; readonly host: number }
  | { readonly kind: "dhcp" }
  | { readonly kind: "delete"; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("create" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("exact" as const), host: fc.integer({ min: 2, max: 14 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("dhcp" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), pick: fc.nat() }) },
);

const expected = new Set<FaultType>(["IpAddressGenerationFailure", "IpAddressAlreadyAllocated", "PortNotFound"]);

/** What may happen when several want the last addresses; everything else is a bug. */
function forgive(thrown: unknown): void {
  if (!(thrown instanceof ApiFault && expected.has(thrown.type))) throw thrown;
}

async function readAddresses(services: TestServices): Promise<readonly string[]> {
  const rows = await services.store.db.selectFrom("fixed_ips").select(["subnet_id", "ip_address"]).execute();
  return rows.map((row) => `${row.subnet_id} ${row.ip_address}`);
}

async function take(services: TestServices, networkId: string, one: Step, known: string[]): Promise<void> {
  const { ports } = services;
  const base = { network_id: networkId };
  switch (one.kind) {
    case "create": {
      const made = await ports.create(
        admin,
        Array.from({ length: one.count }, () => base),
      );
      known.push(...made.map(idOf));
      return;
    }
    case "exact":
      known.push(idOf(await createOne(ports, { ...base, fixed_ips: [{ ip_address: `10.0.0.${one.host}` }] })));
      return;
    case "dhcp":
      known.push(idOf(await createOne(ports, { ...base, device_owner: "network:dhcp" })));
      return;
    case "delete": {
      const [id] = known.splice(one.pick % Math.max(known.length, 1), 1);
      if (id !== undefined) await ports.remove(admin, id);
    }
  }
}

forEachDatabase((name, openFresh, freshUrl) => {
  test("whatever is created and deleted at the same time, in a pool that is too small", async () => {
    const store = await openFresh();
    const services = servicesOn(store);
    const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 6 });

    await fc.assert(
      fc.asyncProperty(histories, async (clients) => {
        const { networkId } = await networkWithSubnet(services, { subnet: { cidr: "10.0.0.0/28" } });
        const known: string[] = [];
        const client = async (steps: readonly Step[]): Promise<void> => {
          for (const one of steps) await take(services, networkId, one, known).catch(forgive);
        };

        await Promise.all(clients.map(client));

        const own = await store.db.selectFrom("fixed_ips").select("ip_address").where("network_id", "=", networkId).execute();
        const addresses = own.map((row) => row.ip_address);
        assert.equal(new Set(addresses).size, addresses.length);
        assert.equal(addresses.length, known.length);
        for (const address of addresses) assert.match(address, /^10\.0\.0\.([2-9]|1[0-4])$/);
      }),
      { numRuns: name === "sqlite" ? 60 : 20 },
    );
  });

  test("a pool gives exactly as many addresses as it has, to many clients at once", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services, { subnet: { cidr: "10.0.0.0/26" } });

    const outcomes = await Promise.allSettled(
      Array.from({ length: 80 }, () => services.ports.create(admin, [{ network_id: networkId }])),
    );

    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    for (const { reason } of failed) assert.equal(reason instanceof ApiFault && reason.type, "IpAddressGenerationFailure");
    assert.equal(outcomes.length - failed.length, 61);
    const addresses = await readAddresses(services);
    assert.equal(new Set(addresses).size, 61);
  });

  test("two servers on one database share a subnet without a collision", async () => {
    const url = await freshUrl();
    const stores = [await openStore(url, silentLogger), await openStore(url, silentLogger)];
    const [left, right] = stores.map((store) => servicesOn(store));
    assert.ok(left !== undefined && right !== undefined);
    const { networkId } = await networkWithSubnet(left);
    const bulk = Array.from({ length: 5 }, () => ({ network_id: networkId }));

    await Promise.all(Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? left : right).ports.create(admin, bulk)));

    const addresses = await readAddresses(left);
    assert.equal(addresses.length, 80);
    assert.equal(new Set(addresses).size, 80);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("of many who ask for the same address one gets it, and the others hear that it is taken", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const body = { network_id: networkId, fixed_ips: [{ ip_address: "10.0.0.77" }] };

    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => services.ports.create(admin, [body])));

    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(failed.length, 7);
    for (const { reason } of failed) assert.equal(reason instanceof ApiFault && reason.type, "IpAddressAlreadyAllocated");
  });

  test("of many who ask for the same MAC one gets it", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const body = { network_id: networkId, mac_address: "fa:16:3e:00:00:01" };

    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => services.ports.create(admin, [body])));

    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(failed.length, 7);
    for (const { reason } of failed) assert.equal(reason instanceof ApiFault && reason.type, "MacAddressInUse");
  });

  test("overlapping subnets that are created at the same moment: one stays", async () => {
    const services = servicesOn(await openFresh());
    const networkId = idOf(await createOne(services.networks, {}));
    const cidrs = ["10.0.0.0/24", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/16"];
    const bodies = cidrs.map((cidr) => ({ network_id: networkId, ip_version: 4, cidr }));

    await Promise.allSettled(bodies.map((body) => services.subnets.create(admin, [body])));

    const subnets = await services.store.db
      .selectFrom("subnets")
      .select(["first_key", "last_key"])
      .orderBy("first_key")
      .execute();
    assert.ok(subnets.length > 0);
    for (const [index, subnet] of subnets.entries()) {
      const next = subnets[index + 1];
      assert.ok(next === undefined || subnet.last_key < next.first_key);
    }
  });

  test("a SLAAC subnet reaches every port that is created while it comes", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const slaac = { ip_version: 6, cidr: "2001:db8::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };

    await Promise.all([
      ...Array.from({ length: 10 }, () => services.ports.create(admin, [{ network_id: networkId }])),
      services.subnets.create(admin, [{ network_id: networkId, ...slaac }]),
      ...Array.from({ length: 10 }, () => services.ports.create(admin, [{ network_id: networkId }])),
    ]);

    const ports = await services.ports.list(admin, { filters: [], sorts: [], pageReverse: false });
    assert.equal(ports.length, 20);
    for (const port of ports) assert.equal(addressesOf(port).length, 2);
  });
});
