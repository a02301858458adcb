// Two servers of one network: a client goes on with the other one when its own is gone, and when it has moved away from it.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { addressFor, bothAddresses, makeDualPort, makeDualStack, plugClient, startServer } from "../../helpers/client-bench.ts";
import { type ClientEvent, confirmations, LivingClient, livingKinds } from "../../helpers/living-client.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { type HostedNetwork, OtherHost } from "../../helpers/other-host.ts";

async function startOther(t: TestContext, hosted: HostedNetwork): Promise<OtherHost> {
  const host = await OtherHost.create(hosted);
  t.after(() => host.close());
  return host;
}

describe("a network with two servers", { skip: skipWithoutRoot, concurrency: 3 }, () => {
  for (const kind of livingKinds)
    test(`${kind}: whose instance moves to another host keeps its address, which the server there gives it`, async (t) => {
      const network = makeDualStack();
      const here = await startServer(t, network, 2);
      const port = makeDualPort(network, 5);
      await here.apply([port]);
      const there = await startOther(t, { ...network, dhcpAddresses: bothAddresses(3) });
      await there.apply([port]);
      const instance = await here.plug(port.macAddress);
      const client = await LivingClient.create(kind, instance);
      t.after(() => client.close());
      await client.start();
      const first = await client.next(["bound"]);

      await there.receive(instance);
      await client.forget();
      await client.start({ renew: 1, rebind: 2 }, first.address);
      // To CONFIRM any server of the link answers, without making the lease its own; to REBIND the one that takes it over.
      const after = await client.next(kind === "dhclient6" ? ["rebind"] : confirmations, 30_000);

      assert.deepEqual([first.address, after.address], [addressFor(kind, 5), addressFor(kind, 5)]);
      assert.notEqual(after.server, first.server);
      assert.deepEqual(await client.addresses(), [first.address]);
    });

  for (const kind of livingKinds)
    test(`${kind}: whose server is gone goes on with the other one, which has never spoken to it`, async (t) => {
      const network = makeDualStack();
      const one = await startServer(t, network, 2);
      const two = await startServer(t, network, 3, "bus");
      const port = makeDualPort(network, 5);
      await two.apply([one.dhcpPort]);
      await one.apply([port, two.dhcpPort]);
      const client = await plugClient(t, one, kind, port.macAddress);
      const timers = { renew: 4, rebind: 8 };
      await client.start(timers);
      const first = await client.next(["bound"]);
      // The second time nothing is left to do but what nobody waits for.
      assert.equal(await two.apply([port, one.dhcpPort]), "added");
      assert.equal(await two.apply([port, one.dhcpPort]), "unchanged");
      const pid = await two.pid();

      await one.newDriver().remove(network.network.id);
      if (kind !== "dhclient") await client.renewSoon(timers);
      await client.forget();
      // First it asks its own server, some clients for long; then everybody.
      const next = (): Promise<ClientEvent> => client.next(["renew", "rebind"], 40_000);
      const told = await next();
      // What its own server has still given may be told late, but once.
      const after = told.server === first.server ? await next() : told;

      assert.equal(after.address, first.address);
      assert.notEqual(after.server, first.server);
      assert.deepEqual(await client.addresses(), [first.address]);
      assert.equal(await two.pid(), pid);
    });
});
