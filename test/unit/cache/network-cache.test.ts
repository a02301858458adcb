import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NetworkCache } from "../../../src/cache/network-cache.ts";
import type { Port } from "../../../src/model/network.ts";
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
import { FakeClock } from "../../helpers/fake-clock.ts";

const blue = testNetworkId(1);
const red = testNetworkId(2);

function cacheWith(...items: readonly StreamItem[]): NetworkCache {
  const cache = new NetworkCache({ clock: new FakeClock() });
  for (const item of items) cache.applyItem(item);
  return cache;
}

const blueNetwork = networkItem(makeNetwork(1));
const blueSubnet = subnetItem(makeSubnet(1, blue));

test("a view has the network with its subnets and ports sorted by id", () => {
  const cache = cacheWith(
    portItem(makePort(7, blue, 1)),
    subnetItem(makeSubnet(3, blue)),
    blueSubnet,
    portItem(makePort(2, blue, 1)),
    blueNetwork,
  );

  const view = cache.view(blue);

  assert.deepEqual(
    view?.subnets.map(({ cidr }) => cidr),
    ["10.1.0.0/16", "10.3.0.0/16"],
  );
  assert.deepEqual(
    view?.ports.map(({ id }) => id),
    [testPortId(2), testPortId(7)],
  );
});

test("a view is the same object until something of its network changes", () => {
  const cache = cacheWith(blueNetwork, blueSubnet, portItem(makePort(2, blue, 1)), networkItem(makeNetwork(2)));
  const before = cache.view(blue);

  const dirty = cache.applyItem(portItem(makePort(3, red, 2)));

  assert.deepEqual(dirty, [red]);
  assert.equal(cache.view(blue), before);
  cache.applyItem(portItem(makePort(4, blue, 1)));
  assert.notEqual(cache.view(blue), before);
});

test("after any sequence of changes the merged port list equals sorting everything", () => {
  const change = fc.record({ port: fc.integer({ min: 0, max: 30 }), isDelete: fc.boolean(), look: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
      const cache = cacheWith(blueNetwork);
      const truth = new Set<string>();
      changes.forEach(({ port, isDelete, look }, index) => {
        const item = portItem(makePort(port + index * 100, blue, 1));
        const old = [...truth][port];
        if (isDelete && old !== undefined) {
          truth.delete(old);
          cache.applyItem({ op: "delete", kind: "port", id: old, networkId: blue, revision: 9 });
        } else {
          truth.add(item.id);
          cache.applyItem(item);
        }
        if (look) cache.view(blue);
      });

      assert.deepEqual(
        cache.view(blue)?.ports.map(({ id }) => id),
        [...truth].sort(),
      );
    }),
  );
});

test("DA-052: an older revision changes nothing and marks nothing", () => {
  const cache = cacheWith(blueNetwork, portItem(makePort(2, blue, 1, { revision: 5, dnsName: "new" })));

  const dirty = cache.applyItem(portItem(makePort(2, blue, 1, { revision: 4, dnsName: "old" })));

  assert.deepEqual(dirty, []);
  assert.equal(cache.findPort(testPortId(2))?.dnsName, "new");
});

test("DA-052: the same revision with the same body marks nothing, with another body it counts", () => {
  const cache = cacheWith(blueNetwork, portItem(makePort(2, blue, 1)));

  assert.deepEqual(cache.applyItem(portItem(makePort(2, blue, 1))), []);
  assert.deepEqual(cache.applyItem(portItem(makePort(2, blue, 1, { dnsName: "web" }))), [blue]);
});

test("DA-053: an update that comes after the delete does not revive the port", () => {
  const port = portItem(makePort(2, blue, 1));
  const cache = cacheWith(blueNetwork, port, deleteItem(port));

  const dirty = cache.applyItem(portItem(makePort(2, blue, 1)));

  assert.deepEqual(dirty, []);
  assert.equal(cache.findPort(testPortId(2)), undefined);
});

test("a delete that comes before the create wins over it", () => {
  const port = portItem(makePort(2, blue, 1));
  const cache = cacheWith(blueNetwork, deleteItem(port));

  assert.deepEqual(cache.applyItem(port), []);
});

test("a delete that is older than what is known is ignored", () => {
  const cache = cacheWith(blueNetwork, portItem(makePort(2, blue, 1, { revision: 9 })));

  const dirty = cache.applyItem({ op: "delete", kind: "port", id: testPortId(2), networkId: blue, revision: 5 });

  assert.deepEqual(dirty, []);
  assert.notEqual(cache.findPort(testPortId(2)), undefined);
});

test("tombstones go with age and with number, and no sooner", async () => {
  const clock = new FakeClock();
  const cache = new NetworkCache({ clock, maxTombstones: 2, tombstoneTtlMs: 1000 });
  cache.applyItem(blueNetwork);
  const [first, second, third] = [1, 2, 3].map((n) => portItem(makePort(n, blue, 1))) as [StreamItem, StreamItem, StreamItem];

  for (const item of [first, second, third]) cache.applyItem(deleteItem(item));

  assert.deepEqual(cache.applyItem(first), [blue], "the oldest of three made room");
  assert.deepEqual(cache.applyItem(third), []);
  await clock.advance(1001);
  assert.deepEqual(cache.applyItem(third), [blue], "one that is too old does not count");
});

test("subnets and ports wait for their network", () => {
  const cache = cacheWith(blueSubnet, portItem(makePort(2, blue, 1)));
  assert.equal(cache.view(blue), undefined);
  assert.deepEqual(cache.counts(), { networks: 0, subnets: 0, ports: 0 });

  const dirty = cache.applyItem(blueNetwork);

  assert.deepEqual(dirty, [blue]);
  assert.equal(cache.view(blue)?.ports.length, 1);
  assert.deepEqual(cache.counts(), { networks: 1, subnets: 1, ports: 1 });
});

test("a deleted network takes its subnets and ports along", () => {
  const cache = cacheWith(blueNetwork, blueSubnet, portItem(makePort(2, blue, 1)));

  const dirty = cache.applyItem(deleteItem(blueNetwork));

  assert.deepEqual(dirty, [blue]);
  assert.equal(cache.view(blue), undefined);
  assert.equal(cache.findSubnet(blueSubnet.id), undefined);
  assert.equal(cache.findPort(testPortId(2)), undefined);
});

test("a network that is bound to this host again comes back with its parts, though its revision is the old one", () => {
  const port = portItem(makePort(2, blue, 1));
  const cache = cacheWith(blueNetwork, blueSubnet, port, deleteItem(port), deleteItem(blueSubnet), deleteItem(blueNetwork));

  for (const item of [blueNetwork, blueSubnet, port]) cache.applyItem(item);

  assert.equal(cache.view(blue)?.ports.length, 1);
  assert.equal(cache.view(blue)?.subnets.length, 1);
});

test("a reply that was overtaken by a delete brings nothing back", () => {
  const port = portItem(makePort(2, blue, 1));
  const cache = cacheWith(blueNetwork, blueSubnet, port, deleteItem(blueNetwork));

  assert.deepEqual(cache.applyItem(port, "reply"), []);
  assert.deepEqual(cache.applyItem(blueNetwork, "reply"), []);
});

test("DA-056: of two ports that claim an address the later one has it, until its owner lets go", () => {
  const taker = makePort(3, blue, 1, { fixedIps: makePort(2, blue, 1).fixedIps });
  const cache = cacheWith(blueNetwork, blueSubnet, portItem(makePort(2, blue, 1)));
  cache.view(blue);

  cache.applyItem(portItem(taker));

  const shown = () => cache.view(blue)?.ports.map(({ fixedIps }) => fixedIps.map(({ ipAddress }) => ipAddress));
  assert.deepEqual(shown(), [[], ["10.1.0.2"]]);
  assert.equal(cache.findOwner(blue, "10.1.0.2")?.id, taker.id);
  cache.applyItem(deleteItem(portItem(taker)));
  assert.deepEqual(shown(), [["10.1.0.2"]]);
});

test("DA-064: two ports that swap their addresses in either order end with the right ones", () => {
  const one = makePort(1, blue, 1);
  const two = makePort(2, blue, 1);
  const swapped = [
    portItem({ ...one, fixedIps: two.fixedIps, revision: 2 }),
    portItem({ ...two, fixedIps: one.fixedIps, revision: 2 }),
  ];
  for (const order of [swapped, swapped.toReversed()]) {
    const cache = cacheWith(blueNetwork, blueSubnet, portItem(one), portItem(two));

    for (const item of order) cache.applyItem(item);

    assert.deepEqual(
      cache.view(blue)?.ports.map(({ fixedIps }) => fixedIps[0]?.ipAddress),
      ["10.1.0.2", "10.1.0.1"],
    );
  }
});

interface History {
  readonly items: readonly StreamItem[];
  /** Of each port that is left: its address. */
  readonly end: readonly (readonly [string, string])[];
}

/** What an API would have allowed of these wishes: no address has two owners at a time, no port comes back. */
function historyOf(
  wishes: readonly { readonly slot: number; readonly address: number; readonly isDelete: boolean }[],
): History {
  const items: StreamItem[] = [];
  const living = new Map<number, Port>();
  for (const [index, { slot, address, isDelete }] of wishes.entries()) {
    const port = living.get(slot);
    const fixedIps = makePort(address, blue, 1).fixedIps;
    const isTaken = [...living.values()].some((one) => one.fixedIps[0]?.ipAddress === fixedIps[0]?.ipAddress);
    if (port !== undefined && isDelete) {
      items.push(deleteItem(portItem(port)));
      living.delete(slot);
    } else if (!isTaken) {
      const revision = (port?.revision ?? 0) + 1;
      const next = { ...(port ?? makePort(100 + index, blue, 1)), fixedIps, revision };
      items.push(portItem(next));
      living.set(slot, next);
    }
  }
  const end = [...living.values()].map(({ id, fixedIps }) => [id, fixedIps[0]?.ipAddress ?? ""] as const);
  return { items, end: end.toSorted(([one], [other]) => (one < other ? -1 : 1)) };
}

test("DA-064: in whatever order changes of ports that share addresses arrive, all end with what the API gave them", () => {
  const wish = fc.record({
    slot: fc.integer({ min: 1, max: 4 }),
    address: fc.integer({ min: 1, max: 4 }),
    isDelete: fc.boolean(),
  });
  const shuffled = fc
    .array(wish, { minLength: 2, maxLength: 16 })
    .map(historyOf)
    .chain(({ items, end }) =>
      fc.record({
        arrivals: fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length }),
        end: fc.constant(end),
      }),
    );
  fc.assert(
    fc.property(shuffled, ({ arrivals, end }) => {
      const cache = cacheWith(blueNetwork, blueSubnet);

      for (const item of arrivals) {
        cache.applyItem(item);
        cache.view(blue);
      }

      const left = cache.view(blue)?.ports.map(({ id, fixedIps }) => [id, fixedIps[0]?.ipAddress]);
      assert.deepEqual(left, end);
    }),
    { numRuns: 300 },
  );
});

test("what a snapshot does not name is gone", () => {
  const kept = portItem(makePort(2, blue, 1));
  const cache = cacheWith(blueNetwork, blueSubnet, kept, portItem(makePort(3, blue, 1)), networkItem(makeNetwork(2)));

  cache.beginSnapshot({ isNewEpoch: false });
  for (const item of [blueNetwork, blueSubnet, kept]) cache.applyItem(item);
  const dirty = cache.endSnapshot();

  assert.deepEqual([...dirty].sort(), [blue, red]);
  assert.deepEqual(
    cache.view(blue)?.ports.map(({ id }) => id),
    [kept.id],
  );
  assert.deepEqual(cache.networkIds(), [blue]);
});

test("what a newer event brought during a snapshot stays though no page names it", () => {
  const cache = cacheWith(blueNetwork);

  cache.beginSnapshot({ isNewEpoch: false });
  cache.applyItem(blueNetwork);
  cache.applyItem(portItem(makePort(9, blue, 1)), "reply");
  cache.endSnapshot();

  assert.equal(cache.view(blue)?.ports.length, 1);
});

test("a snapshot that did not arrive whole removes nothing", () => {
  const cache = cacheWith(blueNetwork, portItem(makePort(2, blue, 1)));

  cache.beginSnapshot({ isNewEpoch: false });
  cache.abortSnapshot();

  assert.deepEqual(cache.endSnapshot(), []);
  assert.equal(cache.view(blue)?.ports.length, 1);
});

test("in a new epoch smaller revisions count and old tombstones do not", () => {
  const gone = portItem(makePort(3, blue, 1));
  const cache = cacheWith(networkItem(makeNetwork(1, { revision: 50, name: "later" })), gone, deleteItem(gone));

  cache.beginSnapshot({ isNewEpoch: true });
  for (const item of [blueNetwork, gone]) cache.applyItem(item);
  cache.endSnapshot();

  assert.equal(cache.findNetwork(blue)?.name, "network-1");
  assert.equal(cache.view(blue)?.ports.length, 1);
});

test("whatever the order of a port's messages, the newest revision stands", () => {
  const messages = [1, 2, 3, 4].map((revision) => portItem(makePort(2, blue, 1, { revision, dnsName: `r${revision}` })));
  const last = portItem(makePort(2, blue, 1, { revision: 4 }));
  const all = [...messages, deleteItem(last)];
  const orders = fc.shuffledSubarray([...all, ...all], { minLength: 1 });
  fc.assert(
    fc.property(orders, (order) => {
      const cache = cacheWith(blueNetwork, ...order);
      const newest = order.reduce((best, item) => (item.revision >= best.revision ? item : best));
      const found = cache.findPort(testPortId(2));

      if (newest.op === "delete") assert.equal(found, undefined);
      else assert.equal(found?.revision, newest.revision);
    }),
  );
});

test("a change of one port makes a new view and leaves every other object as it is", () => {
  const cache = cacheWith(blueNetwork, blueSubnet, ...Array.from({ length: 10 }, (_, n) => portItem(makePort(n, blue, 1))));
  const before = cache.view(blue);

  cache.applyItem(portItem(makePort(3, blue, 1, { revision: 2 })));

  const after = cache.view(blue);
  assert.notEqual(after, before);
  const isSame = after?.ports.map((port, index) => port === before?.ports[index]);
  assert.deepEqual(isSame?.filter((same) => !same).length, 1);
  assert.equal(cache.view(blue), after, "a view that nothing changed is made once");
});
