// The life of a lease as real clients live it, on IPv4 and IPv6: got, renewed, asked for again after a crash, given back.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import type { Port } from "../../../src/model/network.ts";
import {
  addressFor,
  type DualStack,
  makeDualPort,
  makeDualStack,
  plugClient,
  startServer,
} from "../../helpers/client-bench.ts";
import { kill } from "../../helpers/children.ts";
import type { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { confirmations, type LivingClient, type LivingKind, livingKinds } from "../../helpers/living-client.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const soon = { renew: 2, rebind: 1000 };

interface Scene {
  readonly bench: DhcpBench;
  readonly network: DualStack;
  readonly port: Port;
  readonly client: LivingClient;
  readonly address: string;
}

/** A served port whose client has its first lease. */
async function bound(t: TestContext, kind: LivingKind): Promise<Scene> {
  const network = makeDualStack();
  const bench = await startServer(t, network, 2);
  const port = makeDualPort(network, 5);
  await bench.apply([port]);
  const client = await plugClient(t, bench, kind, port.macAddress);
  await client.start();
  const { address } = await client.next(["bound"]);
  assert.equal(address, addressFor(kind, 5));
  return { bench, network, port, client, address };
}

/** Over IPv6 dnsmasq answers first and writes its file then. */
async function waitForLease({ bench, address }: Scene, isThere: boolean): Promise<void> {
  const isAsWanted = async (): Promise<boolean> =>
    (await readFile(bench.file("leases"), "utf8")).includes(` ${address} `) === isThere;
  await waitFor(isAsWanted, { limitMs: 10_000, what: `the lease to ${isThere ? "come" : "go"}` });
}

describe("a lease of a real client", { skip: skipWithoutRoot, concurrency: 3 }, () => {
  for (const kind of livingKinds) {
    test(`${kind}: gets the address of its port, and renews it at the server that gave it`, async (t) => {
      const { client, address } = await bound(t, kind);
      const [first] = (await client.events()).filter(({ what }) => what === "bound");

      await client.renewSoon(soon);
      const renewed = await client.next(["renew"]);

      assert.deepEqual([renewed.address, renewed.server], [address, first?.server]);
      assert.deepEqual(await client.addresses(), [address]);
    });

    test(`${kind}: that was killed with its instance has its old address confirmed, with no signal and no restart of the server`, async (t) => {
      const scene = await bound(t, kind);
      const { bench, client, address } = scene;
      const pid = await bench.pid();
      await client.kill();
      await client.forget();

      await client.start(undefined, address);
      const again = await client.next(confirmations);

      // dhclient over IPv4 tells apart what was confirmed from what was got anew.
      if (kind === "dhclient") assert.equal(again.what, "reboot");
      assert.equal(again.address, address);
      assert.equal(await bench.pid(), pid);
    });

    test(`${kind}: has its lease renewed by the dnsmasq that follows a killed one`, async (t) => {
      const scene = await bound(t, kind);
      const { bench, port, client, address } = scene;
      const pid = await bench.pid();
      kill(pid, "SIGKILL");
      const isFound = async (): Promise<boolean> => (await bench.driver.findDead()).includes(bench.network.id);
      await waitFor(isFound, { limitMs: 10_000, what: "the end of dnsmasq to be seen" });
      await client.forget();

      assert.equal(await bench.apply([port]), "started");
      await client.renewSoon(soon);
      const renewed = await client.next(["renew"]);

      assert.equal(renewed.address, address);
      assert.notEqual(await bench.pid(), pid);
    });

    test(`${kind}: that gives its lease back leaves none, and gets the same address when it asks again`, async (t) => {
      const scene = await bound(t, kind);
      const { client, address } = scene;
      await waitForLease(scene, true);

      await client.release();
      await waitForLease(scene, false);
      assert.deepEqual(await client.addresses(), []);
      await client.forget();
      await client.start();

      assert.equal((await client.next(["bound"])).address, address);
      await waitForLease(scene, true);
    });
  }
});
