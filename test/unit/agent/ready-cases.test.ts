// Which ports are told to be served, when, and in which order.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { makePort, portItem, testPortId } from "../../helpers/agent-items.ts";
import { type AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { blue, blueItems, bareItems, restartedRig, startedRig } from "../../helpers/agent-scene.ts";

const manyPorts = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => portItem(makePort(from + n, blue, 1)));
const told = (rig: AgentRig): readonly (readonly string[])[] =>
  rig.server.reports.map(({ readyPorts }) => readyPorts.map(({ id }) => id));

describe("ports that are served", () => {
  test("DA-070: are told again when the server was too slow; the first time is logged, in a word", async () => {
    const rig = await startedRig(...bareItems(1));
    await rig.advance(5);
    const slow = new NetloomError("TIMEOUT", "no answer in time");
    rig.server.statusFailures.push(slow, slow);
    const reports = rig.server.reports.length;

    rig.server.commit(manyPorts(5, 2));
    await turnLoop();
    await rig.advance(1000);

    assert.deepEqual(told(rig).slice(reports), [[testPortId(5), testPortId(6)]]);
    assert.deepEqual(
      rig.log("status report failed, will be repeated").map(({ level, err }) => [level, err]),
      [
        ["warn", "no answer in time"],
        ["debug", "no answer in time"],
      ],
    );
  });

  test("DA-071: are told in messages of at most 256; one more is a second message", async () => {
    for (const [count, sizes] of [
      [256, [256]],
      [257, [256, 1]],
    ] as const) {
      const rig = await startedRig(...bareItems(1));
      await rig.advance(5);
      const reports = rig.server.reports.length;

      rig.server.commit(manyPorts(5, count));
      await turnLoop();
      await rig.advance(5);

      assert.deepEqual(
        told(rig)
          .slice(reports)
          .map(({ length }) => length),
        sizes,
      );
    }
  });

  test("DA-072: and are new go first, those that are confirmed after a start fill the message", async () => {
    const rig = await startedRig(...bareItems(1), ...manyPorts(1000, 300));
    rig.server.commit(manyPorts(5, 2));
    await turnLoop();
    await rig.advance(5);

    const [first = [], second = []] = told(rig);
    assert.deepEqual(first.slice(0, 2), [testPortId(5), testPortId(6)]);
    assert.deepEqual([first.length, second.length], [256, 303 - 256]);
  });

  test("DA-073: are told after a start though they were there before", async () => {
    const first = await startedRig(...blueItems);
    await first.advance(5);
    first.server.readyPorts.clear();

    const second = await restartedRig(first);
    await second.advance(5);

    assert.equal(second.server.readyPorts.get(testPortId(5)), 1);
    assert.equal(second.server.readyPorts.size, 2);
  });

  test("DA-074: are told only when the driver has put them in effect", async () => {
    const rig = await startedRig(...blueItems);
    await rig.advance(5);
    const gate = Promise.withResolvers<void>();
    rig.driver.onApply = () => gate.promise;

    rig.server.commit(manyPorts(7, 1));
    await turnLoop();
    await rig.advance(1000);
    assert.ok(!rig.server.readyPorts.has(testPortId(7)));
    gate.resolve();
    await turnLoop();
    await rig.advance(5);

    assert.ok(rig.server.readyPorts.has(testPortId(7)));
  });
});
