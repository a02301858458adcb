// What the server hears of the states that the hook writes. Real files, time that stands still.
import assert from "node:assert/strict";
import { type FSWatcher, watch } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { haStateDirectory, haStateFile } from "../../../src/drivers/l3-layout.ts";
import { HaStates } from "../../../src/l3-agent/ha-states.ts";
import type { OpenWatch } from "../../../src/linux/directory-watch.ts";
import { makeDirectories } from "../../../src/base/directories.ts";
import { routerId } from "../../../src/model/ids.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const id = routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111");
const cleanUps: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function open(openWatch?: OpenWatch) {
  const stateDir = await mkdtemp(join(tmpdir(), "netloom-ha-"));
  cleanUps.push(() => rm(stateDir, { recursive: true, force: true }));
  await makeDirectories(haStateDirectory(stateDir));
  const clock = new FakeClock();
  const reports: string[] = [];
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_: unknown, message: string) => warnings.push(message) };
  const states = new HaStates({
    ...{ stateDir, timers: clock, log, confirmMs: 1000, openWatch },
    report: ({ state }) => reports.push(state),
  });
  cleanUps.push(() => states.close());
  const write = (state: string): Promise<void> => writeFile(haStateFile(stateDir, id), `${state}\n`);
  return { clock, reports, states, warnings, write };
}

test("a state that lasts for an advertisement is told, once", async () => {
  const { clock, reports, states, write } = await open();
  await write("primary");

  states.served(id);
  await clock.advance(999);
  assert.deepEqual(reports, []);
  await clock.advance(1);
  states.served(id);
  await clock.advance(5000);

  assert.deepEqual(reports, ["primary"]);
});

test("L3-92: backup, primary and backup again within one advertisement is no news", async () => {
  const { clock, reports, states, write } = await open();
  await write("backup");
  states.served(id);
  await clock.advance(1000);

  await write("primary");
  states.served(id);
  await clock.advance(500);
  await write("backup");
  states.served(id);
  await clock.advance(5000);

  assert.deepEqual(reports, ["backup"]);
});

test("after a snapshot everything is told again; what is no longer served is not told of", async () => {
  const { clock, reports, states, write } = await open();
  await write("primary");
  states.served(id);
  await clock.advance(1000);

  states.forgetAll();
  states.served(id);
  await clock.advance(1000);
  await write("backup");
  states.served(id);
  states.forget(id);
  await clock.advance(5000);

  assert.deepEqual(reports, ["primary", "primary"]);
});

test("nothing is said of a router whose keepalived has not spoken, or of which the file is no state", async () => {
  const { clock, reports, states, write } = await open();
  states.served(id);
  await clock.advance(1000);
  await write("master");
  states.served(id);
  await clock.advance(1000);

  assert.deepEqual(reports, []);
});

test("a change is heard by a watch", async () => {
  const { states, write } = await open();
  const heard: string[] = [];
  await states.start((router) => heard.push(router));

  await write("primary");

  await waitFor(() => heard.includes(id), { limitMs: 10_000, what: "the change" });
});

test("a watch that failed is begun anew, and what changed meanwhile is heard of", async () => {
  const watchers: FSWatcher[] = [];
  const { clock, states, write } = await open((...words) => {
    const watcher = watch(...words);
    watchers.push(watcher);
    return watcher;
  });
  const heard: string[] = [];
  await states.start((router) => heard.push(router));
  await write("backup");
  await waitFor(() => heard.length > 0, { limitMs: 10_000, what: "the first state" });
  states.served(id);
  await clock.advance(1000);

  watchers[0]?.emit("error", new Error("no space left"));
  heard.length = 0;
  await write("primary");
  await clock.advance(2000);

  assert.deepEqual([heard, watchers.length], [[id], 2]);
  heard.length = 0;
  await write("backup");
  await waitFor(() => heard.includes(id), { limitMs: 10_000, what: "a change under the second watch" });
});

test("where nothing can be watched it is tried again and again, and said once", async () => {
  let refusals = 0;
  const { clock, states, warnings } = await open(() => {
    refusals += 1;
    throw new Error("no inotify instance");
  });

  await states.start(() => {});
  await clock.advance(6000);

  assert.deepEqual([refusals, warnings], [4, ["changes of state are seen by sweeps only"]]);
});
