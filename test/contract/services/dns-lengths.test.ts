import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, idOf, servicesOn } from "../../helpers/network-services.ts";

/** A name of labels, with that many characters. */
function nameOf(length: number): string {
  const labels = Array.from({ length: Math.ceil(length / 40) }, () => "x".repeat(39)).join(".");
  return labels.length >= length ? labels.slice(0, length).replace(/\.$/, "x") : labels.padEnd(length, "y");
}

forEachDatabase((_name, openFresh) => {
  test("a domain leaves room for the longest name that is made of an address", async () => {
    const { networks } = servicesOn(await openFresh());
    const [fits, tooLong] = [nameOf(208), nameOf(209)];
    assert.deepEqual([fits.length, tooLong.length], [208, 209]);

    const id = idOf(await createOne(networks, { dns_domain: `${fits}.` }));

    assert.equal((await networks.show(admin, id))["dns_domain"], `${fits}.`);
    await assertFault(createOne(networks, { dns_domain: tooLong }), "InvalidInput", /dns_domain has 209 characters/);
    await assertFault(networks.update(admin, id, { dns_domain: tooLong }), "InvalidInput", /may have 208/);
  });

  test("a port's name and the domain of its network have 253 characters together", async () => {
    const { networks, ports } = servicesOn(await openFresh());
    const network_id = idOf(await createOne(networks, { dns_domain: `${nameOf(199)}.` }));
    const port = idOf(await createOne(ports, { network_id, dns_name: nameOf(53) }));

    await assertFault(createOne(ports, { network_id, dns_name: nameOf(54) }), "InvalidInput", /254 characters together/);
    await assertFault(ports.update(admin, port, { dns_name: nameOf(54) }), "InvalidInput", /254 characters/);
    await assertFault(networks.update(admin, network_id, { dns_domain: nameOf(200) }), "InvalidInput", new RegExp(port));
    await networks.update(admin, network_id, { dns_domain: nameOf(198) });
    await ports.update(admin, port, { dns_name: nameOf(54) });
  });

  test("a network without a domain has the default one, and a name with the domain in it is complete", async () => {
    const { networks, ports } = servicesOn(await openFresh());
    const network_id = idOf(await createOne(networks, {}));
    const domain = "example.internal";

    const port = idOf(await createOne(ports, { network_id, dns_name: nameOf(252 - domain.length) }));

    await assertFault(createOne(ports, { network_id, dns_name: nameOf(253 - domain.length) }), "InvalidInput");
    await ports.update(admin, port, { dns_name: `${nameOf(252 - domain.length)}.${domain}` });
    await networks.update(admin, network_id, { dns_domain: "" });
    await assertFault(networks.update(admin, network_id, { dns_domain: "example.com" }), "InvalidInput", new RegExp(port));
  });

  test("dns_assignment adds no domain to a name that has it, and says what the DHCP server's DNS answers", async () => {
    const { networks, ports, subnets } = servicesOn(await openFresh());
    const network_id = idOf(await createOne(networks, { dns_domain: "blue.example." }));
    await createOne(subnets, { network_id, ip_version: 4, cidr: "10.0.0.0/24" });
    const told = async (dns_name: string): Promise<unknown> => {
      const [{ hostname, fqdn } = assert.fail()] = (await createOne(ports, { network_id, dns_name }))[
        "dns_assignment"
        // The cast: the API's documented form.
      ] as readonly { readonly hostname: string; readonly fqdn: string }[];
      return [hostname, fqdn];
    };

    assert.deepEqual(await told("web"), ["web", "web.blue.example."]);
    assert.deepEqual(await told("db.blue.example"), ["db", "db.blue.example."]);
    assert.deepEqual(await told("a.b"), ["a.b", "a.b.blue.example."]);
    assert.deepEqual(await told("notblue.example"), ["notblue.example", "notblue.example.blue.example."]);
    assert.deepEqual(await told(""), ["host-10-0-0-6", "host-10-0-0-6.blue.example."]);
  });
});
