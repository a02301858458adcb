import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { NftFloatingIpDriver } from "../../../src/drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { NamespaceWorker } from "../../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../../src/linux/nft-shell-pool.ts";
import { changesOf, floatingAddress, portForwarding } from "../../helpers/floating-addresses.ts";
import { createFloatingIpRig, type FloatingIpRig } from "../../helpers/floating-ip-rig.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { ask, listen, type Listener, silenceS, talk } from "../../helpers/packets.ts";

describe("port forwardings in a router", { skip: skipWithoutRoot }, () => {
  let rig: FloatingIpRig;
  let nft: NftShellPool;
  let worker: NamespaceWorker;
  let driver: NftFloatingIpDriver;
  const listeners: Listener[] = [];
  const address = "203.0.113.101";
  const [one, two] = ["10.0.0.11", "10.0.0.12"];
  const source = "203.0.113.254";
  const serve = async (name: string | undefined, ...ports: readonly string[]): Promise<void> => {
    listeners.push(await listen(name ?? "", ...ports));
  };
  const forward = async (...forwardings: ReturnType<typeof portForwarding>[]): Promise<void> => {
    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(address, null, forwardings)));
    assert.deepEqual([...outcome.failed], []);
  };

  beforeEach(async () => {
    rig = await createFloatingIpRig();
    nft = new NftShellPool();
    worker = new NamespaceWorker();
    driver = new NftFloatingIpDriver({ nft, worker, log: silentLogger });
  });
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close();
    await nft.close();
    await worker.close();
    await rig.close();
  });

  test("L3-63: the first port forwarding brings the address, the last one takes it along", async () => {
    await serve(rig.instances[0], "tcp:80");
    await forward();
    assert.deepEqual(await rig.readRoutes(), []);

    await forward(portForwarding("tcp", 8080, one, 80));
    assert.deepEqual(await rig.readRoutes(), [`${address} qg`]);
    assert.equal(await ask(rig.outside, "tcp", address, 8080), `80 ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 80, silenceS), "nothing");

    await forward();
    assert.deepEqual(await rig.readRoutes(), []);
    assert.deepEqual(await rig.readElements(), []);
    assert.equal(await ask(rig.outside, "tcp", address, 8080, silenceS), "nothing");
  });

  test("L3-64: another port, protocol or instance replaces the rule, and flows of the old one end", async () => {
    await serve(rig.instances[0], "tcp:80", "tcp:81", "udp:80");
    await serve(rig.instances[1], "tcp:80");
    await forward(portForwarding("tcp", 8080, one, 80));
    const flow = talk(rig.outside, address, 8080);
    listeners.push(flow);
    assert.equal(await flow.say(), `80 ${source}`);

    await forward(portForwarding("tcp", 8080, one, 81));
    assert.equal(await flow.say(silenceS), "nothing");
    assert.equal(await ask(rig.outside, "tcp", address, 8080), `81 ${source}`);

    await forward(portForwarding("tcp", 8081, two, 80));
    assert.equal(await ask(rig.outside, "tcp", address, 8080, silenceS), "nothing");
    assert.equal(await ask(rig.outside, "tcp", address, 8081), `80 ${source}`);

    await forward(portForwarding("udp", 8081, one, 80));
    assert.equal(await ask(rig.outside, "tcp", address, 8081, silenceS), "nothing");
    assert.equal(await ask(rig.outside, "udp", address, 8081), `80 ${source}`);
  });

  test("L3-64: flows of the other port forwardings of the same address go on", async () => {
    await serve(rig.instances[0], "tcp:80", "tcp:81");
    const kept = portForwarding("tcp", 8080, one, 80);
    await forward(kept, portForwarding("tcp", 8081, one, 81));
    const [stays, ends] = [talk(rig.outside, address, 8080), talk(rig.outside, address, 8081)];
    listeners.push(stays, ends);
    assert.deepEqual([await stays.say(), await ends.say()], [`80 ${source}`, `81 ${source}`]);

    await forward(kept);

    assert.deepEqual([await stays.say(), await ends.say(silenceS)], [`80 ${source}`, "nothing"]);
  });

  test("L3-65: a range that is shifted leads port by port to the shifted one", async () => {
    await serve(rig.instances[0], "tcp:180", "tcp:184", "tcp:189");
    await forward(portForwarding("tcp", [8000, 8009], one, [180, 189]));

    for (const port of [0, 4, 9]) assert.equal(await ask(rig.outside, "tcp", address, 8000 + port), `${180 + port} ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 8010, silenceS), "nothing");

    await forward(portForwarding("tcp", [8000, 8009], one, [175, 184]));
    assert.equal(await ask(rig.outside, "tcp", address, 8005), `180 ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 8009), `184 ${source}`);
  });

  test("L3-65: a range that keeps its ports is one element, whatever its width", async () => {
    await serve(rig.instances[0], "udp:20000", "udp:29999");
    await forward(portForwarding("udp", [20_000, 29_999], one, [20_000, 29_999]));

    assert.equal(await ask(rig.outside, "udp", address, 20_000), `20000 ${source}`);
    assert.equal(await ask(rig.outside, "udp", address, 29_999), `29999 ${source}`);
    assert.equal((await rig.readElements()).length, 3);
  });

  test("L3-65: a whole range can lead to one port", async () => {
    await serve(rig.instances[0], "tcp:80");
    await forward(portForwarding("tcp", [8000, 8999], one, 80));

    assert.equal(await ask(rig.outside, "tcp", address, 8000), `80 ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 8999), `80 ${source}`);
  });

  test("L3-65: ranges grow, shrink and overlap inside without being refused", async () => {
    await serve(rig.instances[0], "tcp:8005", "tcp:8015");
    await forward(portForwarding("tcp", [8000, 8009], one, [8000, 8009]));
    await forward(portForwarding("tcp", [8000, 8019], one, [8000, 8019]));
    assert.equal(await ask(rig.outside, "tcp", address, 8015), `8015 ${source}`);

    await forward(
      portForwarding("tcp", [8000, 8009], one, [8000, 8009]),
      portForwarding("tcp", [9000, 9011], one, [8004, 8015]),
      portForwarding("tcp", 7000, one, 8005),
    );
    assert.equal(await ask(rig.outside, "tcp", address, 8005), `8005 ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 9011), `8015 ${source}`);
    assert.equal(await ask(rig.outside, "tcp", address, 7000), `8005 ${source}`);
    assert.equal((await driver.verify(rig.place)).foreignChanges, 0);
  });

  test("L3-69: one external port leads to two instances, by protocol", async () => {
    await serve(rig.instances[0], "tcp:80");
    await serve(rig.instances[1], "udp:81");
    await forward(portForwarding("tcp", 53, one, 80), portForwarding("udp", 53, two, 81));

    assert.equal(await ask(rig.outside, "tcp", address, 53), `80 ${source}`);
    assert.equal(await ask(rig.outside, "udp", address, 53), `81 ${source}`);
  });

  test("ping is forwarded where it is asked for", async () => {
    await forward(portForwarding("tcp", 80, two, 80));
    assert.equal(await rig.pings(rig.outside, address), true, "the router itself answers");
    const answers = async (): Promise<string> =>
      (await rig.inside(rig.instances[0] ?? "", "cat", "/proc/net/snmp"))
        .split("\n")
        .findLast((line) => line.startsWith("Icmp:")) ?? "";
    const before = await answers();
    await forward(portForwarding("icmp", null, one, null));
    assert.equal(await rig.pings(rig.outside, address), true);
    assert.notEqual(await answers(), before);
    await forward();
    assert.equal(await rig.isSilent(rig.outside, address), true);
  });

  test("a successor reads every kind of element as it was written", async () => {
    const wishes = changesOf(
      floatingAddress(address, null, [
        portForwarding("tcp", 80, one, 8080),
        portForwarding("sctp", [64, 127], one, [64, 127]),
        portForwarding("dccp", [64, 127], two, 99),
        portForwarding("udp", [1, 40], two, [10_001, 10_040]),
        portForwarding("icmp", null, two, null),
      ]),
    );
    await driver.apply(rig.place, wishes);
    const before = await rig.readElements();

    const successor = new NftFloatingIpDriver({ nft, worker, log: silentLogger });
    await successor.apply(rig.place, wishes);

    assert.ok(before.length > 40);
    assert.deepEqual(await rig.readElements(), before);
    assert.equal((await successor.verify(rig.place)).foreignChanges, 0);
  });

  test("what does not fit is an error of that address", async () => {
    const bad = portForwarding("tcp", [80, 90], one, [80, 85]);
    const outcome = await driver.apply(rig.place, changesOf(floatingAddress(address, null, [bad])));
    assert.match(outcome.failed.get(address) ?? "", /port ranges do not fit/);
  });
});
