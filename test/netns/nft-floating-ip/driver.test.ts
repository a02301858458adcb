import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { NftFloatingIpDriver, type NftFloatingIpParts } from "../../../src/drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../../src/linux/nft-shell-pool.ts";
import { kill } from "../../helpers/children.ts";
import { changesOf, floatingAddress } from "../../helpers/floating-addresses.ts";
import { createFloatingIpRig, type FloatingIpRig } from "../../helpers/floating-ip-rig.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { ask, listen, type Listener, silenceS, talk } from "../../helpers/packets.ts";
import { waitFor } from "../../helpers/wait-for.ts";

describe("floating IPs in a router", { skip: skipWithoutRoot }, () => {
  let rig: FloatingIpRig;
  let nft: NftShellPool;
  let worker: NamespaceWorker;
  let driver: NftFloatingIpDriver;
  const listeners: Listener[] = [];
  const first = "203.0.113.101";
  const second = "203.0.113.102";
  const [one, two] = ["10.0.0.11", "10.0.0.12"];
  const serve = async (name: string, ...ports: readonly string[]): Promise<void> => {
    listeners.push(await listen(name, ...ports));
  };
  const newDriver = (): NftFloatingIpDriver => new NftFloatingIpDriver({ nft, worker, log: silentLogger });

  beforeEach(async () => {
    rig = await createFloatingIpRig();
    nft = new NftShellPool();
    worker = new NamespaceWorker();
    driver = newDriver();
  });
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close();
    await nft.close();
    await worker.close();
    await rig.close();
  });

  test("L3-43: an added floating IP is reached from outside, and its instance goes out with it", async () => {
    const [instance = ""] = rig.instances;
    await serve(instance, "tcp:80");
    await serve(rig.outside, "tcp:80");

    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(first, one)));

    assert.deepEqual([outcome.failed.size, outcome.added, outcome.foreignChanges], [0, [first], 0]);
    assert.equal(await rig.pings(rig.outside, first), true);
    assert.equal(await ask(rig.outside, "tcp", first, 80), "80 203.0.113.254");
    assert.equal(await ask(instance, "tcp", "203.0.113.254", 80), `80 ${first}`);
    assert.deepEqual(await rig.readRoutes(), [`${first} qg`]);
  });

  test("L3-43: neighbours that knew the address elsewhere are told of it", async () => {
    await sh("ip", "-n", rig.outside, ...`neigh replace ${first} lladdr 02:00:00:00:00:01 dev eth0 nud stale`.split(" "));

    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    await driver.announce(rig.place, [first]);

    await waitFor(
      async () => (await sh("ip", "-n", rig.outside, "neigh", "show", first)).includes(rig.place.gatewayMac ?? "-"),
      {
        limitMs: 10_000,
        what: "the neighbour to learn the router's MAC",
      },
    );
  });

  test("L3-44, L3-60: a removed floating IP leaves nothing, its flows end at once, those of others go on", async () => {
    const [instance = "", other = ""] = rig.instances;
    await serve(instance, "tcp:80");
    await serve(other, "tcp:80");
    await serve(rig.outside, "tcp:81");
    await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));
    const flows = [
      talk(rig.outside, first, 80),
      talk(instance, "203.0.113.254", 81),
      talk(rig.outside, second, 80),
      talk(other, "203.0.113.254", 81),
    ];
    listeners.push(...flows);
    const says = (limitS?: number): Promise<string[]> => Promise.all(flows.map((flow) => flow.say(limitS)));
    assert.deepEqual(await says(), ["80 203.0.113.254", `81 ${first}`, "80 203.0.113.254", `81 ${second}`]);

    await driver.apply(rig.place, changesOf(first));

    assert.deepEqual(await says(silenceS), ["nothing", "nothing", "80 203.0.113.254", `81 ${second}`]);
    assert.equal(await rig.isSilent(rig.outside, first), true);
    assert.equal((await rig.readElements()).join().includes(first), false);
    assert.deepEqual(await rig.readRoutes(), [`${second} qg`]);
    assert.equal(await ask(instance, "tcp", "203.0.113.254", 81), "81 203.0.113.1");
  });

  test("L3-45: mapped to another instance, new flows go there and old ones end", async () => {
    const [instance = "", other = ""] = rig.instances;
    await serve(instance, "tcp:80");
    await serve(other, "tcp:80", "tcp:82");
    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    const flow = talk(rig.outside, first, 80);
    listeners.push(flow);
    assert.equal(await flow.say(), "80 203.0.113.254");

    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(first, two)));

    assert.deepEqual([outcome.failed.size, outcome.added], [0, []]);
    assert.equal(await flow.say(silenceS), "nothing");
    assert.equal(await ask(rig.outside, "tcp", first, 82), "82 203.0.113.254");
    assert.deepEqual((await rig.readElements()).length, 3);
  });

  test("L3-45: two floating IPs change places in one transaction", async () => {
    const [instance = "", other = ""] = rig.instances;
    await serve(instance, "tcp:80");
    await serve(other, "tcp:81");
    await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));

    await driver.apply(rig.place, changesOf(floatingAddress(first, two), floatingAddress(second, one)));

    assert.equal(await ask(rig.outside, "tcp", first, 81), "81 203.0.113.254");
    assert.equal(await ask(rig.outside, "tcp", second, 80), "80 203.0.113.254");
    assert.equal((await rig.readElements()).length, 6);
  });

  test("a fixed IP that changes its floating IP keeps the newer one, whatever comes first", async () => {
    const older = floatingAddress(first, one);
    await driver.apply(rig.place, changesOf(older, floatingAddress(second, one)));
    await driver.apply(rig.place, changesOf(first));

    assert.ok((await rig.readElements()).includes(`fip_out ["${one}","${second}"]`));
    assert.deepEqual((await rig.readElements()).length, 3);
  });

  test("L3-48: one that is impossible is an error with its reason, all others work", async () => {
    const outcome = await driver.apply(
      rig.place,
      changesOf(floatingAddress(first, one), floatingAddress(second, "fd00::1"), floatingAddress("2001:db8::5", two)),
    );

    assert.deepEqual([...outcome.failed.keys()].toSorted(), ["2001:db8::5", second]);
    assert.match(outcome.failed.get(second) ?? "", /only IPv4 can be translated, not "fd00::1"/);
    assert.equal(await rig.pings(rig.outside, first), true);
  });

  /** A set cannot be replaced while rules use it; this test wants no guards. */
  const replacePairs = async (type: string): Promise<void> => {
    for (const chain of ["c_guard", "c_guard_in", "c_guard_back", "c_guard_snat"])
      await rig.inside(rig.router, "nft", `flush chain inet netloom ${chain}`);
    await rig.inside(rig.router, "nft", "delete set inet netloom fip_pair");
    if (type !== "") await rig.inside(rig.router, "nft", `add set inet netloom fip_pair { ${type} }`);
  };

  test("L3-48: an address that the kernel refuses harms no other, and works once the reason has gone", async () => {
    await replacePairs("type ipv4_addr . ipv4_addr; size 1;");

    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));

    assert.deepEqual([[...outcome.failed.keys()], outcome.added], [[second], [first]]);
    assert.deepEqual([await rig.pings(rig.outside, first), await rig.isSilent(rig.outside, second)], [true, true]);

    await replacePairs("type ipv4_addr . ipv4_addr;");
    assert.deepEqual((await driver.verify(rig.place)).added, [second]);
    assert.deepEqual([await rig.pings(rig.outside, first), await rig.pings(rig.outside, second)], [true, true]);
  });

  test("L3-49: without its map everything of the router is an error, and it works once the map is back", async () => {
    await replacePairs("");

    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));
    assert.deepEqual([...outcome.failed.keys()].toSorted(), [first, second]);
    assert.match(outcome.failed.get(first) ?? "", /No such file or directory/);

    await rig.inside(rig.router, "nft", "add set inet netloom fip_pair { type ipv4_addr . ipv4_addr; }");
    const again = await driver.apply(rig.place, changesOf());
    assert.equal(again.failed.size, 0);
    assert.equal(await rig.pings(rig.outside, first), true);
  });

  test("L3-54: an instance reaches its own floating IP", async () => {
    const [instance = ""] = rig.instances;
    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    assert.equal(await rig.pings(instance, first), true);
  });

  test("L3-55, L3-56: an instance reaches a neighbour's floating IP, which answers from it and sees the sender's", async () => {
    const [instance = "", other = ""] = rig.instances;
    await serve(other, "tcp:80");
    await driver.apply(rig.place, changesOf(floatingAddress(second, two)));
    assert.equal(await ask(instance, "tcp", second, 80), "80 203.0.113.1");

    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    assert.equal(await ask(instance, "tcp", second, 80), `80 ${first}`);
    assert.match(await rig.inside(instance, "ping", "-c1", "-w10", second), new RegExp(`from ${second}`));
  });

  test("L3-57: the router itself reaches floating IPs", async () => {
    const [instance = ""] = rig.instances;
    await serve(instance, "tcp:80");
    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));

    assert.match(await ask(rig.router, "tcp", first, 80), /^80 /);
    assert.equal(await rig.pings(rig.router, first), true);
  });

  test("L3-61: routes and elements of others stay as they are", async () => {
    await sh("ip", "-n", rig.router, ...`addr add 203.0.113.50/32 dev ${rig.place.gatewayDevice}`.split(" "));
    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    await driver.apply(rig.place, changesOf(first));
    await driver.verify(rig.place);

    assert.equal(await rig.pings(rig.outside, "203.0.113.50"), true);
    assert.equal(await rig.pings(rig.outside, "203.0.113.1"), true);
  });

  test("what a predecessor left is adopted without a change, and what nobody asks for any more goes", async () => {
    const kept = floatingAddress(first, one);
    await driver.apply(rig.place, changesOf(kept, floatingAddress(second, two)));
    const before = await rig.readElements();

    const successor = newDriver();
    const outcome = await successor.apply(rig.place, changesOf(kept));

    assert.deepEqual([outcome.failed.size, outcome.added, outcome.foreignChanges], [0, [], 0]);
    assert.deepEqual(
      await rig.readElements(),
      before.filter((element) => element.includes(first)),
    );
    assert.deepEqual(await rig.readRoutes(), [`${first} qg`]);
  });

  test("foreign changes are found by a sweep, counted and repaired", async () => {
    await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));
    const [elements, routes] = [await rig.readElements(), await rig.readRoutes()];
    await rig.inside(
      rig.router,
      "nft",
      `delete element inet netloom fip_in { ${first} }; add element inet netloom fip_out { 10.9.9.9 : 192.0.2.1 }`,
    );
    await sh("ip", "-n", rig.router, "route", "del", "local", second, "table", "local");

    const outcome = await driver.verify(rig.place);

    assert.deepEqual([outcome.failed.size, outcome.foreignChanges], [0, 3]);
    assert.deepEqual([await rig.readElements(), await rig.readRoutes()], [elements, routes]);
    assert.equal((await driver.verify(rig.place)).foreignChanges, 0);
  });

  test("a foreign change that is in the way of a change is found by it, counted and repaired", async () => {
    await driver.apply(rig.place, changesOf(floatingAddress(first, one)));
    await rig.inside(rig.router, "nft", "flush set inet netloom fip_pair; flush map inet netloom fip_in");

    const outcome = await driver.apply(rig.place, changesOf(first, floatingAddress(second, two)));

    assert.deepEqual([outcome.failed.size, outcome.foreignChanges], [0, 2]);
    assert.equal(await rig.pings(rig.outside, second), true);
    assert.equal((await rig.readElements()).length, 3);
  });

  test("a new epoch loads everything again, in one transaction", async () => {
    await driver.apply(rig.place, changesOf(floatingAddress(first, one), floatingAddress(second, two)));
    const before = await rig.readElements();
    for (const map of ["map inet netloom fip_in", "map inet netloom fip_out", "set inet netloom fip_pair"])
      await rig.inside(rig.router, "nft", `flush ${map}`);

    const outcome = await driver.apply({ ...rig.place, epoch: "another" }, changesOf());

    assert.deepEqual([outcome.failed.size, outcome.foreignChanges], [0, 0]);
    assert.deepEqual(await rig.readElements(), before);
  });

  test("an nft that is killed in the middle costs nothing but time", async () => {
    const wishes = Array.from({ length: 200 }, (_, index) => floatingAddress(`203.0.113.${index + 20}`, `10.0.1.${index}`));
    await driver.apply(rig.place, changesOf());
    const pid = Number(await sh("ip", "netns", "pids", rig.router).then((text) => text.trim().split("\n")[0]));

    const applying = driver.apply(rig.place, changesOf(...wishes));
    kill(pid, "SIGKILL");
    const outcome = await applying;

    assert.equal(outcome.failed.size, 0);
    assert.equal((await rig.readElements()).length, 600);
    assert.equal((await rig.readRoutes()).length, 200);
  });

  test("many at once: nft has the time for them, and their announcements hold up no work of others", async () => {
    const limitsMs: number[] = [];
    const frames: number[] = [];
    const parts: NftFloatingIpParts = {
      nft: {
        run: (namespace, line, options) => {
          limitsMs.push(options?.timeoutMs ?? 0);
          return nft.run(namespace, line, options);
        },
      },
      worker: {
        run: (namespace, operations) => {
          frames.push(...operations.flatMap((one) => (one.kind === "frames" ? [one.frames.length] : [])));
          return worker.run(namespace, operations);
        },
      },
      log: silentLogger,
    };
    const wishes = Array.from({ length: 240 }, (_, index) => floatingAddress(`203.0.113.${index + 2}`, `10.0.1.${index}`));
    const watched = new NftFloatingIpDriver(parts);
    await watched.apply(rig.place, changesOf(floatingAddress(first, one)));
    const [few = 0] = limitsMs.splice(0);

    const { added } = await watched.apply(rig.place, changesOf(...wishes));
    await watched.verify(rig.place);
    await watched.announce(rig.place, added);

    assert.ok(limitsMs.length > 1 && limitsMs.every((limitMs) => limitMs >= few + 600), `${few}, then ${limitsMs.join()}`);
    assert.equal(
      frames.reduce((sum, one) => sum + one, 0),
      added.length,
    );
    assert.ok(Math.max(...frames) <= 100, frames.join());
  });

  test("a namespace that is not the one that was ready is not touched", async () => {
    await assert.rejects(driver.apply({ ...rig.place, namespaceInode: 1 }, changesOf(floatingAddress(first, one))), {
      code: "NOT_FOUND",
    });
    assert.deepEqual(await rig.readElements(), []);
  });
});
