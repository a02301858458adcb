import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NetloomError } from "../../../src/base/errors.ts";
import { controlSubject, eventSubject } from "../../../src/messaging/subjects.ts";
import type { StreamItem } from "../../../src/types/agent-messages.ts";
import {
  deleteItem,
  makeNetwork,
  makePort,
  makeSubnet,
  networkItem,
  portItem,
  subnetItem,
  testNetworkId,
  testPortId,
} from "../../helpers/agent-items.ts";
import { FakeServer } from "../../helpers/fake-server.ts";
import { AgentRig, rigHost, turnLoop } from "../../helpers/agent-rig.ts";

const blue = testNetworkId(1);
const blueItems = [networkItem(makeNetwork(1)), subnetItem(makeSubnet(1, blue)), portItem(makePort(5, blue, 1))];

async function startedRig(): Promise<AgentRig> {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  await rig.start();
  // The throttle of syncs must not decide what these tests see.
  await rig.advance(1000);
  rig.server.syncs.splice(0);
  return rig;
}

const hasPort = (rig: AgentRig, n: number): boolean => rig.cache.findPort(testPortId(n)) !== undefined;

test("DA-025: a lost message is noticed at the next one, and a delta brings both", async () => {
  const rig = await startedRig();
  const { seq } = rig.consumer.seen;

  rig.server.commit([portItem(makePort(7, blue, 1))], { isLost: true });
  rig.server.commit([portItem(makePort(8, blue, 1))]);
  await turnLoop();

  assert.deepEqual(rig.server.syncs, [{ since: seq, mode: "delta" }]);
  assert.ok(hasPort(rig, 7) && hasPort(rig, 8));
  assert.equal(rig.consumer.seen.seq, rig.server.head);
});

test("a message that was seen already is ignored", async () => {
  const rig = await startedRig();
  rig.server.commit([portItem(makePort(7, blue, 1))]);
  rig.server.commit([deleteItem(portItem(makePort(7, blue, 1)))]);
  await turnLoop();

  rig.server.publish(rig.server.head - 2, rig.server.head - 1);
  await turnLoop();

  assert.ok(!hasPort(rig, 7));
  assert.equal(rig.consumer.seen.seq, rig.server.head);
  assert.deepEqual(rig.server.syncs, []);
});

test("a message that begins before our position is taken without a sync", async () => {
  const rig = await startedRig();
  rig.server.commit([portItem(makePort(7, blue, 1))]);
  await turnLoop();
  rig.server.commit([portItem(makePort(8, blue, 1))], { isLost: true });

  rig.server.publish(rig.server.head - 2, rig.server.head);
  await turnLoop();

  assert.ok(hasPort(rig, 8));
  assert.deepEqual(rig.server.syncs, []);
});

test("another epoch makes the agent take a snapshot, whatever the revisions are", async () => {
  const rig = await startedRig();
  rig.server.commit([portItem(makePort(5, blue, 1, { revision: 40, dnsName: "future" }))]);
  await turnLoop();

  rig.server.restore("epoch-2", [...blueItems, portItem(makePort(9, blue, 1))]);
  rig.server.commit([portItem(makePort(10, blue, 1))]);
  await turnLoop();

  assert.deepEqual(
    rig.server.syncs.map(({ mode }) => mode),
    ["snapshot"],
  );
  assert.equal(rig.cache.findPort(testPortId(5))?.dnsName, "");
  assert.ok(hasPort(rig, 9) && hasPort(rig, 10));
  assert.deepEqual(rig.consumer.seen, { epoch: "epoch-2", seq: rig.server.head });
});

test("after a reconnect the agent syncs, though no message told of a loss", async () => {
  const rig = await startedRig();
  rig.bus.disconnect();
  rig.server.commit([portItem(makePort(7, blue, 1))]);

  rig.bus.reconnect();
  await turnLoop();

  assert.ok(hasPort(rig, 7));
});

test("an agent that is too far behind gets a snapshot, and what is gone goes", async () => {
  const rig = await startedRig();
  rig.server.commit([deleteItem(portItem(makePort(5, blue, 1))), portItem(makePort(7, blue, 1))], { isLost: true });
  rig.server.trimOutbox();

  rig.consumer.requestSync("test");
  await turnLoop();

  assert.deepEqual(
    rig.server.syncs.map(({ mode }) => mode),
    ["snapshot"],
  );
  assert.ok(!hasPort(rig, 5) && hasPort(rig, 7));
});

test("DA-023: the server can ask for a sync; a change of the agent itself is a snapshot", async () => {
  const rig = await startedRig();
  const sender = rig.hub.connect();

  sender.publish(controlSubject("dhcp", rigHost), { action: "resync", reason: "behind" });
  await turnLoop();
  await rig.advance(1000);
  sender.publish(controlSubject("dhcp", rigHost), { action: "agent-updated", reason: "admin_state_up" });
  await turnLoop();

  assert.deepEqual(
    rig.server.syncs.map(({ mode }) => mode),
    ["delta", "snapshot"],
  );
});

test("a message that makes no sense is followed by a sync", async () => {
  const rig = await startedRig();
  const sender = rig.hub.connect();

  sender.publish(eventSubject("dhcp", rigHost), { epoch: 5, items: "none" });
  await turnLoop();

  assert.equal(rig.server.syncs.length, 1);
  assert.equal(rig.log("event not understood").length, 1);
});

test("what is published between the pages of a snapshot is not lost", async () => {
  const rig = new AgentRig({ pageSize: 1 });
  rig.server.commit(blueItems);
  let pages = 0;
  rig.server.betweenPages = async () => {
    pages += 1;
    if (pages === 1) rig.server.commit([portItem(makePort(1, blue, 1)), deleteItem(portItem(makePort(5, blue, 1)))]);
    await turnLoop(3);
  };

  await rig.start();
  await turnLoop(200);

  assert.ok(hasPort(rig, 1) && !hasPort(rig, 5));
  assert.equal(rig.consumer.seen.seq, rig.server.head);
});

test("a snapshot that breaks off between two pages is taken again, and nothing is removed meanwhile", async () => {
  const rig = await startedRig();
  rig.server.stop();
  const server = new FakeServer({ bus: rig.hub.connect(), host: rigHost, pageSize: 1 });
  server.restore("epoch-2", [...rig.server.truth.values()]);
  let isBroken = true;
  server.betweenPages = () => {
    if (isBroken) throw new NetloomError("UNAVAILABLE", "the server went away");
  };
  server.start();

  rig.consumer.requestSync("test");
  await rig.advance(60);
  assert.ok(hasPort(rig, 5));
  assert.ok(rig.host.running.has(blue));
  isBroken = false;
  await rig.advance(20_000);
  await turnLoop(200);

  assert.equal(rig.consumer.seen.epoch, "epoch-2");
  assert.ok(hasPort(rig, 5));
});

test("DA-009: a sync is repeated until a server answers", async () => {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  rig.server.syncFailures.push(
    new NetloomError("UNAVAILABLE", "busy", { retryAfterMs: 3000 }),
    new NetloomError("TIMEOUT", "slow"),
    new NetloomError("INVALID", "what?"),
  );

  await rig.start();
  await rig.advance(2900);
  assert.equal(rig.consumer.seen.epoch, "", "the server asked for three seconds");
  await rig.advance(10_000);

  assert.ok(hasPort(rig, 5));
  assert.equal(rig.log("sync failed, will be repeated").length, 3);
});

type Step =
  | { readonly do: "create" | "update" | "delete" | "rebind"; readonly n: number; readonly isLost: boolean }
  | { readonly do: "repeat"; readonly from: number; readonly count: number }
  | { readonly do: "trim" | "outage" | "restore" | "wait" | "kill" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("create" as const, "update" as const, "delete" as const, "rebind" as const),
      n: fc.nat(11),
      isLost: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("repeat" as const), from: fc.nat(40), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("trim" as const, "outage" as const, "restore" as const, "wait" as const, "kill" as const),
    }),
  },
);

/** Networks 1…3 with their subnet; port n is on network n % 3 + 1. */
class Churn {
  readonly #rigs: AgentRig[] = [new AgentRig({ pageSize: 3 })];
  #revision = 10;
  #epoch = 1;

  get rig(): AgentRig {
    const rig = this.#rigs.at(-1);
    if (rig === undefined) throw new Error("no rig");
    return rig;
  }

  async start(): Promise<void> {
    this.rig.server.commit([1, 2, 3].flatMap((n) => this.#network(n)));
    await this.rig.start();
  }

  async run(one: Step): Promise<void> {
    const { server, bus } = this.rig;
    if (one.do === "repeat") server.publish(Math.min(one.from, server.head), Math.min(one.from + one.count, server.head));
    else if (one.do === "trim") server.trimOutbox();
    else if (one.do === "outage" && bus.isConnected) bus.disconnect();
    else if (one.do === "outage") bus.reconnect();
    else if (one.do === "wait") await this.rig.advance(300);
    else if (one.do === "restore") server.restore(`epoch-${++this.#epoch}`, [...server.truth.values()]);
    else if (one.do === "kill") await this.#restart();
    else if ("n" in one) this.#commit(one);
    await turnLoop(2);
  }

  async #restart(): Promise<void> {
    const { rig } = this;
    await rig.kill();
    this.#rigs.push(new AgentRig({ before: rig }));
    this.rig.agent.start();
    this.rig.consumer.start();
  }

  #commit({ do: verb, n, isLost }: { readonly do: string; readonly n: number; readonly isLost: boolean }): void {
    const { server } = this.rig;
    const known = server.truth.get(testPortId(n));
    const m = (n % 3) + 1;
    this.#revision += 1;
    if (verb === "rebind") {
      // Unbound and bound again: the network goes and comes with the revision that it had.
      const parts = [...server.truth.values()].filter((item) => item.networkId === testNetworkId(m) && item.kind !== "network");
      const network = networkItem(makeNetwork(m));
      server.commit([deleteItem(network), network, ...parts], { isLost });
    } else if (verb === "delete" && known !== undefined) server.commit([deleteItem(known)], { isLost });
    else if (verb !== "delete")
      server.commit([portItem(makePort(n, testNetworkId(m), m, { revision: this.#revision }))], { isLost });
  }

  #network(n: number): StreamItem[] {
    return [networkItem(makeNetwork(n)), subnetItem(makeSubnet(n, testNetworkId(n)))];
  }
}

test("whatever is lost, repeated, restored or killed, the cache and the host end as the server says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const churn = new Churn();
      await churn.start();
      for (const one of steps) await churn.run(one);

      churn.rig.bus.reconnect();
      churn.rig.consumer.requestSync("end of the test");
      await churn.rig.advance(15_000);
      await turnLoop(200);

      const { rig } = churn;
      const truth = [...rig.server.truth.values()].map(({ id, revision }) => `${id} ${revision}`).sort();
      const known = rig.cache.networkIds().flatMap((id) => {
        const view = rig.cache.view(id);
        return view === undefined ? [] : [view.network, ...view.subnets, ...view.ports];
      });
      assert.deepEqual(known.map(({ id, revision }) => `${id} ${revision}`).sort(), truth);
      for (const [id, { view }] of rig.host.running) assert.deepEqual(view, rig.cache.view(id));
      assert.equal(rig.host.running.size, 3);
    }),
    { numRuns: 40 },
  );
});
