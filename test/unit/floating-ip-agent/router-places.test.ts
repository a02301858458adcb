import assert from "node:assert/strict";
import { type FSWatcher, watch } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { readyDirectory, readyFile, type RouterReady } from "../../../src/drivers/l3-layout.ts";
import { RouterPlaces } from "../../../src/floating-ip-agent/router-places.ts";
import type { OpenWatch } from "../../../src/linux/directory-watch.ts";
import { portId, type RouterId } from "../../../src/model/ids.ts";
import { testRouterId } from "../../helpers/floating-ip-items.ts";
import { createTestDirectory, randomId, type TestDirectory } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const router = testRouterId(1);
const place: RouterReady = {
  ...{ routerId: router, namespace: "qrouter-1", namespaceInode: 7, epoch: "life-1", gatewayDevice: "qg-1" },
  ...{ gatewayPortId: portId(randomId()), gatewayMac: "fa:16:3e:00:00:01" },
};

describe("places of routers", () => {
  let directory: TestDirectory;
  let places: RouterPlaces;
  let changed: RouterId[];
  const write = async (values: Partial<RouterReady>): Promise<void> => {
    const file = readyFile(directory.path, router);
    await writeFile(`${file}.new`, JSON.stringify({ ...place, ...values }));
    await rename(`${file}.new`, file);
  };
  const heard = (count: number): Promise<unknown> =>
    waitFor(() => changed.length >= count, { limitMs: 10_000, what: `${count} changes` });

  beforeEach(async () => {
    directory = await createTestDirectory();
    places = new RouterPlaces({ stateDir: directory.path, log: silentLogger });
    changed = [];
  });
  afterEach(async () => {
    places.close();
    await directory.remove();
  });

  test("what is there at the start is known, what comes, changes and goes is heard of", async () => {
    await mkdir(readyDirectory(directory.path), { recursive: true });
    await write({});
    await places.start((id) => changed.push(id));
    assert.deepEqual(places.get(router), place);

    await write({ epoch: "life-2" });
    await heard(1);
    assert.equal(places.get(router)?.epoch, "life-2");
    await rm(readyFile(directory.path, router));
    await heard(2);

    assert.deepEqual([places.get(router), places.routerIds()], [undefined, []]);
  });

  test("a file that makes no sense, or is of another router, is no place", async () => {
    await mkdir(readyDirectory(directory.path), { recursive: true });
    for (const wrong of [{ routerId: testRouterId(2) }, { namespace: "../x" }, { gatewayDevice: "qg 1" }]) {
      await write(wrong);
      await places.start((id) => changed.push(id));
      assert.equal(places.get(router), undefined);
    }
  });

  test("a directory that was removed has no routers, and one that was made anew is watched", async () => {
    await places.start((id) => changed.push(id));
    await write({});
    await heard(1);
    await rm(readyDirectory(directory.path), { recursive: true });
    assert.deepEqual([places.lookAtAll().length <= 1, places.routerIds()], [true, []]);

    await mkdir(readyDirectory(directory.path), { recursive: true });
    assert.deepEqual(places.lookAtAll(), []);
    const before = changed.length;
    await write({});

    await heard(before + 1);
    assert.equal(places.get(router)?.epoch, "life-1");
  });

  test("a watch that failed is begun anew by the next look", async () => {
    const watchers: FSWatcher[] = [];
    const openWatch: OpenWatch = (...words) => {
      const watcher = watch(...words);
      watchers.push(watcher);
      return watcher;
    };
    places = new RouterPlaces({ stateDir: directory.path, log: silentLogger, openWatch });
    await places.start((id) => changed.push(id));
    assert.deepEqual([places.lookAtAll(), watchers.length], [[], 1]);

    watchers[0]?.emit("error", new Error("no space left"));
    await write({});
    assert.deepEqual(places.lookAtAll(), [router]);
    assert.equal(watchers.length, 2);
    await write({ epoch: "life-2" });

    await heard(1);
    assert.equal(places.get(router)?.epoch, "life-2");
  });
});
