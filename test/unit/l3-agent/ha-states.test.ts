// What the server hears of the states that the hook writes. Real files, time that stands still.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { haStateDirectory, haStateFile } from "../../../src/drivers/l3-layout.ts";
import { HaStates } from "../../../src/l3-agent/ha-states.ts";
import { makeDirectories } from "../../../src/base/directories.ts";
import { routerId } from "../../../src/model/ids.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const id = routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111");
const cleanUps: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function open() {
  const stateDir = await mkdtemp(join(tmpdir(), "netloom-ha-"));
  cleanUps.push(() => rm(stateDir, { recursive: true, force: true }));
  await makeDirectories(haStateDirectory(stateDir));
  const clock = new FakeClock();
  const reports: string[] = [];
  const states = new HaStates({
    ...{ stateDir, timers: clock, log: silentLogger, confirmMs: 1000 },
    report: ({ state }) => reports.push(state),
  });
  cleanUps.push(() => states.close());
  const write = (state: string): Promise<void> => writeFile(haStateFile(stateDir, id), `${state}\n`);
  return { clock, reports, states, write };
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

test("a change is heard by a watch, and one that was missed is found by a look", async () => {
  const { clock, states, write } = await open();
  const heard: string[] = [];
  await states.start((router) => heard.push(router));

  await write("primary");

  await waitFor(() => heard.includes(id), { limitMs: 3000, what: "the change" });
  states.served(id);
  await clock.advance(1000);
  assert.deepEqual(states.missed(), []);
  await write("backup");
  assert.deepEqual(states.missed(), [id]);
});
