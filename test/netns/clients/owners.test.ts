// Addresses that change their owner under real clients which hold leases on them: nobody ends with an address that is not its port's.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import type { Port } from "../../../src/model/network.ts";
import { addressFor, bothAddresses, makeDualPort, makeDualStack, plugClient, startServer } from "../../helpers/client-bench.ts";
import { confirmations, type LivingClient, livingKinds } from "../../helpers/living-client.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const soon = { renew: 2, rebind: 4 };

const moved = (port: Port, n: number): Port => ({
  ...port,
  revision: port.revision + 1,
  fixedIps: port.fixedIps.map((fixed, index) => ({ ...fixed, ipAddress: bothAddresses(n)[index] ?? "" })),
});

async function bind(t: TestContext, client: LivingClient, address: string): Promise<void> {
  await client.start();
  assert.equal((await client.next(["bound"])).address, address);
}

/** The client asks for more time, and goes on until it has this address and no other one. */
async function endsWith(client: LivingClient, address: string): Promise<void> {
  await client.renewSoon(soon);
  const hasOnly = async (): Promise<boolean> => {
    const found = await client.addresses();
    if (found.length === 1 && found[0] === address) return true;
    throw new Error(`${found.join(", ")}; ${JSON.stringify(await client.events())}`);
  };
  await waitFor(hasOnly, { limitMs: 40_000, what: `${client.kind} to have ${address} alone` });
}

describe("an address that changes its owner", { skip: skipWithoutRoot, concurrency: 3 }, () => {
  for (const kind of livingKinds) {
    test(`${kind}: takes the new address of its port at its next renewal`, async (t) => {
      const network = makeDualStack();
      const bench = await startServer(t, network, 2);
      const port = makeDualPort(network, 5);
      await bench.apply([port]);
      const client = await plugClient(t, bench, kind, port.macAddress);
      await bind(t, client, addressFor(kind, 5));

      await bench.apply([moved(port, 8)]);

      await endsWith(client, addressFor(kind, 8));
    });

    test(`DA-168: ${kind}: of a deleted port is refused or hears nothing, while the heir of its address gets it`, async (t) => {
      const network = makeDualStack();
      const bench = await startServer(t, network, 2);
      const [old, heir] = [makeDualPort(network, 5), makeDualPort(network, 5)];
      await bench.apply([old]);
      const client = await plugClient(t, bench, kind, old.macAddress);
      await bind(t, client, addressFor(kind, 5));

      await bench.apply([]);
      await bench.apply([heir]);
      await client.forget();
      const taken = await plugClient(t, bench, kind, heir.macAddress);
      await bind(t, taken, addressFor(kind, 5));
      await client.renewSoon(soon);

      // To CONFIRM dnsmasq says only whether the address is of this link; what gives it time are renewals.
      const grants = kind === "dhclient6" ? ["renew", "rebind"] : confirmations;
      await assert.rejects(client.next(grants, 6000), /in vain/);
      const leases = (await readFile(bench.file("leases"), "utf8"))
        .split("\n")
        .filter((line) => line.includes(addressFor(kind, 5)));
      assert.equal(leases.length, 1);
      assert.ok(leases[0]?.includes(heir.macAddress), leases[0]);
    });

    test(`DA-169: ${kind}: swaps its address with another port's, in one change, and both end with the right one`, async (t) => {
      const network = makeDualStack();
      const bench = await startServer(t, network, 2);
      const [one, two] = [makeDualPort(network, 5), makeDualPort(network, 6)];
      await bench.apply([one, two]);
      const first = await plugClient(t, bench, kind, one.macAddress);
      const second = await plugClient(t, bench, kind, two.macAddress);
      await bind(t, first, addressFor(kind, 5));
      await bind(t, second, addressFor(kind, 6));

      await bench.apply([moved(one, 6), moved(two, 5)]);

      await Promise.all([endsWith(first, addressFor(kind, 6)), endsWith(second, addressFor(kind, 5))]);
    });
  }
});
