import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { arpAnnouncement } from "../../../src/linux/arp.ts";
import { NamespaceWorker, netlink } from "../../../src/linux/namespace-worker.ts";
import { parseLinks } from "../../../src/linux/netlink-answer.ts";
import {
  deleteLocalRoute,
  listAllRoutes,
  parseLocalRoutes,
  replaceLocalRoute,
} from "../../../src/linux/netlink-local-route.ts";
import { listLinks } from "../../../src/linux/netlink.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const inside = (name: string, ...words: readonly string[]): Promise<string> => sh("ip", "netns", "exec", name, ...words);

describe("addresses without addresses", { skip: skipWithoutRoot }, () => {
  let worker: NamespaceWorker;
  let here: string;
  let there: string;
  const readRoutes = async (): Promise<readonly string[]> => {
    const [links = Buffer.alloc(0), routes = Buffer.alloc(0)] = await worker.run(here, [
      netlink(listLinks()),
      netlink(listAllRoutes()),
    ]);
    const names = new Map(parseLinks(links).map(({ index, name }) => [index, name]));
    return parseLocalRoutes(routes).map(({ address, deviceIndex }) => `${address} ${names.get(deviceIndex)}`);
  };

  beforeEach(async () => {
    worker = new NamespaceWorker();
    const prefix = randomPrefix();
    here = await createNamespace(`${prefix}here`);
    there = await createNamespace(`${prefix}there`);
    await sh("ip", "-n", here, "link", "add", "d0", "type", "veth", "peer", "name", "d1", "netns", there);
    await sh("ip", "-n", here, "addr", "add", "192.0.2.1/24", "dev", "d0");
    await sh("ip", "-n", there, "addr", "add", "192.0.2.9/24", "dev", "d1");
    await sh("ip", "-n", here, "link", "set", "d0", "up");
    await sh("ip", "-n", there, "link", "set", "d1", "up");
    // A link that was just set up carries nothing for a moment.
    await inside(there, "ping", "-c1", "-w10", "192.0.2.1");
  });
  afterEach(async () => {
    await worker.close();
    await deleteNamespace(here);
    await deleteNamespace(there);
  });

  test("an address with a local route answers ARP and ping, and does so no more without it", async () => {
    await worker.run(here, [netlink(replaceLocalRoute("d0", "192.0.2.77")), netlink(replaceLocalRoute("d0", "192.0.2.77"))]);

    assert.deepEqual(await readRoutes(), ["192.0.2.77 d0"]);
    assert.match(await inside(there, "ping", "-c1", "-w10", "192.0.2.77"), / 1 received/);

    await worker.run(here, [netlink(deleteLocalRoute("d0", "192.0.2.77"))]);

    assert.deepEqual(await readRoutes(), []);
    await assert.rejects(inside(there, "ping", "-c1", "-W1", "192.0.2.77"));
  });

  test("neighbours that knew another owner send to the one that announced itself", async () => {
    const link: readonly { address: string }[] = JSON.parse(await sh("ip", "-n", here, "-j", "link", "show", "d0"));
    const mac = link[0]?.address ?? "";
    const old = ["neigh", "replace", "192.0.2.77", "lladdr", "02:00:00:00:00:01", "dev", "d1", "nud", "stale"];
    await sh("ip", "-n", there, ...old);

    await worker.run(here, [{ kind: "frames", device: "d0", frames: [arpAnnouncement(mac, "192.0.2.77")] }]);

    const isKnown = async (): Promise<boolean> => (await sh("ip", "-n", there, "neigh", "show", "192.0.2.77")).includes(mac);
    await waitFor(isKnown, { limitMs: 10_000, what: "the neighbour to know it" });
  });

  test("frames for a device that is not there fail, and name it", async () => {
    const frames = [arpAnnouncement("02:00:00:00:00:01", "192.0.2.77")];
    await assert.rejects(
      worker.run(here, [{ kind: "frames", device: "none", frames }]),
      /send 1 frames dev none.*No such device/,
    );
  });
});
