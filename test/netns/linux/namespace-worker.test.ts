import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { hasDevice, readDeviceNames } from "../../../src/linux/ip.ts";
import { NamespaceWorker, netlink } from "../../../src/linux/namespace-worker.ts";
import { parseAddresses, parseLinks, parseRouteAnswer } from "../../../src/linux/netlink-answer.ts";
import { createBridge, createPair, joinLink } from "../../../src/linux/netlink-pair.ts";
import {
  addAddress,
  deleteLink,
  getLink,
  listAddresses,
  listLinks,
  listRoutes,
  replaceRoute,
  setLink,
} from "../../../src/linux/netlink.ts";
import { isNamespace } from "../../../src/linux/netns.ts";
import { findProcesses } from "../../../src/linux/process-table.ts";
import { deleteNamespace, randomMac, randomPrefix, sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const nothing = Buffer.alloc(0);

/** 0 when it is gone. */
function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

describe("the worker inside namespaces", { skip: skipWithoutRoot }, () => {
  let worker: NamespaceWorker;
  let name: string;
  let tap: string;
  const macAddress = randomMac();

  const makePair = async (): Promise<void> => {
    const pair = createPair({ tap, device: "d0", namespace: name, macAddress, mtuBytes: 1400 });
    await worker.run(undefined, [{ kind: "makeNamespace", name }, netlink(pair)]);
  };
  /** Children of this process: other tests have workers of their own. */
  const pidsOfWorkers = (): readonly number[] =>
    findProcesses((argv) => argv.some((word) => word.endsWith("netloom-namespace-worker")))
      .map(({ pid }) => pid)
      .filter((pid) => parentOf(pid) === process.pid);

  beforeEach(() => {
    worker = new NamespaceWorker();
    name = `${randomPrefix()}ns`;
    tap = `${name.slice(0, 8)}t`;
  });
  afterEach(async () => {
    await worker.close();
    await deleteNamespace(name);
    await sh("ip", "link", "del", tap).catch(() => "");
    await sh("ip", "link", "del", `${tap}b`).catch(() => "");
  });

  test("makes a namespace that ip knows, and removes it", async () => {
    await worker.run(undefined, [{ kind: "makeNamespace", name }]);
    assert.equal(isNamespace(name), true);
    assert.match(await sh("ip", "netns", "list"), new RegExp(`^${name}\\b`, "m"));
    assert.match(await sh("ip", "netns", "exec", name, "ip", "-o", "link"), /lo/);

    await worker.run(undefined, [{ kind: "removeNamespace", name }]);
    assert.equal(isNamespace(name), false);
    assert.doesNotMatch(await sh("ip", "netns", "list"), new RegExp(`^${name}\\b`, "m"));
  });

  test("a name that is taken is refused, and a plain file is removed like a namespace", async () => {
    await writeFile(`/run/netns/${name}`, "");
    await assert.rejects(worker.run(undefined, [{ kind: "makeNamespace", name }]), {
      code: "COMMAND_FAILED",
      message: /File exists/,
    });

    await worker.run(undefined, [{ kind: "removeNamespace", name }]);

    await worker.run(undefined, [{ kind: "makeNamespace", name }]);
    assert.equal(isNamespace(name), true);
  });

  test("does what ip does, and reads it as ip shows it", async () => {
    await makePair();
    const bridge = `${tap}b`;
    const join = joinLink(tap, { mtuBytes: 1400, bridge });
    await worker.run(undefined, [netlink(createBridge(bridge)), netlink(setLink(bridge, { isUp: true })), netlink(join)]);
    await worker.run(name, [
      netlink(setLink("d0", { isUp: true })),
      netlink(addAddress({ device: "d0", cidr: "10.1.0.2/24" })),
      netlink(addAddress({ device: "d0", cidr: "2001:db8::2/64", isWithoutDad: true })),
      netlink(replaceRoute({ device: "d0", destination: "192.0.2.1" })),
      netlink(replaceRoute({ device: "d0", destination: "0.0.0.0/0", gateway: "192.0.2.1" })),
      netlink(replaceRoute({ device: "d0", destination: "::/0", gateway: "2001:db8::1" })),
    ]);

    const looks = [listLinks(), listAddresses(), listRoutes(4), listRoutes(6)].map(netlink);
    const [links = nothing, addresses = nothing, routes4 = nothing, routes6 = nothing] = await worker.run(name, looks);
    const device = parseLinks(links).find((one) => one.name === "d0");
    assert.equal(device?.macAddress, macAddress);
    assert.deepEqual([device.mtuBytes, device.isUp], [1400, true]);
    const own = parseAddresses(addresses).filter((one) => one.index === device.index && one.scope === "global");
    assert.deepEqual(
      own.map((one) => `${one.address}/${one.prefixLength}`),
      ["10.1.0.2/24", "2001:db8::2/64"],
    );
    const names = new Map([[device.index, "d0"]]);
    const routes = [...parseRouteAnswer(routes4, 4, names), ...parseRouteAnswer(routes6, 6, names)].filter(
      (one) => one.isStatic,
    );
    assert.deepEqual(
      routes.map((one) => [one.destination, one.gateway, one.device]),
      [
        ["0.0.0.0/0", "192.0.2.1", "d0"],
        ["192.0.2.1", undefined, "d0"],
        ["::/0", "2001:db8::1", "d0"],
      ],
    );
    assert.match(await sh("ip", "-n", name, "route"), /^default via 192\.0\.2\.1 dev d0 proto static/m);

    const [members = nothing] = await worker.run(undefined, [netlink(listLinks(bridge))]);
    assert.deepEqual(
      parseLinks(members).map((one) => one.name),
      [tap],
    );
    assert.equal(hasDevice(tap), true);
    assert.deepEqual([hasDevice(tap), hasDevice("nope")], [readDeviceNames().has(tap), false]);
  });

  test("stops at what fails, says what it was, and does not touch the host instead of a namespace that is gone", async () => {
    await makePair();
    const up = netlink(setLink("d0", { isUp: true }));

    await assert.rejects(worker.run(name, [netlink(deleteLink("nope")), up]), {
      code: "COMMAND_FAILED",
      message: '"link del nope" failed: No such device',
    });
    await assert.rejects(worker.run("no-such-namespace", [netlink(deleteLink(tap))]), { code: "COMMAND_FAILED" });

    const [links = nothing] = await worker.run(name, [netlink(getLink("d0"))]);
    assert.equal(parseLinks(links)[0]?.isUp, false);
    assert.equal(hasDevice(tap), true);
    assert.equal(worker.starts, 1);
  });

  test("many at once are answered each with its own", async () => {
    await makePair();
    const jobs = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? name : undefined));

    const answers = await Promise.all(
      jobs.map((where) => worker.run(where, [netlink(getLink(where === undefined ? tap : "d0"))])),
    );

    assert.deepEqual(
      answers.map(([answer = nothing]) => parseLinks(answer)[0]?.name),
      jobs.map((where) => (where === undefined ? tap : "d0")),
    );
    assert.equal(worker.starts, 1);
  });

  test("one that is killed fails what is under way, and another takes its place", async () => {
    await makePair();
    const [pid = assert.fail(), ...others] = pidsOfWorkers();
    assert.deepEqual(others, []);

    const failed = assert.rejects(worker.run(name, [netlink(getLink("d0"))]), { code: "UNAVAILABLE" });
    await worker.close();
    await failed;

    assert.equal((await worker.run(name, [netlink(getLink("d0"))])).length, 1);
    assert.equal(worker.starts, 2);
    await waitFor(() => !pidsOfWorkers().includes(pid), { limitMs: 10_000, what: "the end of the first" });
  });

  test("a deleted namespace goes, though the worker was inside", async () => {
    await makePair();
    await worker.run(name, [netlink(setLink("d0", { isUp: true }))]);

    await sh("ip", "netns", "del", name);

    await waitFor(() => !hasDevice(tap), { limitMs: 10_000, what: "the kernel to take the pair down" });
  });

  test("words that could be lines are refused before anything is started", async () => {
    for (const setting of ["net/ipv4/ip_forward 1\nenter -", "../../etc/passwd"]) {
      await assert.rejects(worker.run(undefined, [{ kind: "sysctl", name: setting, value: 1 }]), { code: "INVALID" });
    }
    assert.equal(worker.starts, 0);
  });
});
