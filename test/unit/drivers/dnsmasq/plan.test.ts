import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DesiredFiles } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { bucketOf } from "../../../../src/drivers/dnsmasq/dns-buckets.ts";
import { currentFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { HostMemory } from "../../../../src/drivers/dnsmasq/host-memory.ts";
import { type LoadedFiles, planDnsmasq } from "../../../../src/drivers/dnsmasq/plan.ts";

const macNumber = (index: number): string => `fa:16:3e:00:00:${index.toString(16).padStart(2, "0")}`;
const line = (index: number, address = index): string => `${macNumber(index)},h${address},10.0.0.${address}`;
const lines = (from: number, to: number): readonly string[] => Array.from({ length: to - from }, (_, i) => line(from + i));
const desired = (
  hostLines: readonly string[],
  dnsLines: readonly string[] = [],
  optsLines: readonly string[] = ["a"],
): DesiredFiles => ({ hostLines, dnsLines, optsLines, domain: "", refused: [] });

interface Loaded extends Partial<Omit<LoadedFiles, "hosts">> {
  readonly deltas?: readonly (readonly string[])[];
}

function loaded(base: readonly string[], { deltas = [], ...values }: Loaded = {}): LoadedFiles {
  const hosts = new HostMemory(base);
  for (const delta of deltas) hosts.readDelta(delta);
  return { hosts, dnsLines: new Set(), dnsBuckets: 4, dnsAdded: new Set(), optsText: "a\n", ...values };
}

describe("the plan for a dnsmasq", () => {
  test("that has it all already: nothing", () => {
    assert.deepEqual(planDnsmasq(desired([line(1)]), loaded([line(1)]), "fits"), { action: "unchanged" });
  });

  test("that misses a port: just its lines", () => {
    assert.deepEqual(planDnsmasq(desired([line(1), line(2)], ["10.0.0.2\td"]), loaded([line(1)]), "fits"), {
      action: "change",
      hostLines: [line(2)],
      names: { kind: "buckets", buckets: new Set([bucketOf("10.0.0.2\td", 4)]) },
      freed: [],
    });
  });

  test("DA-167: that has a port too many: a tombstone, and the address for the release of its lease", () => {
    assert.deepEqual(planDnsmasq(desired([line(2)]), loaded([line(1), line(2)]), "fits"), {
      action: "change",
      hostLines: [`${macNumber(1)},ignore`],
      names: null,
      freed: ["10.0.0.1"],
    });
  });

  test("whose port moves to an address that nobody had: the new line, which counts from then on", () => {
    assert.deepEqual(planDnsmasq(desired([line(1, 9)]), loaded([line(1)]), "fits"), {
      action: "change",
      hostLines: [line(1, 9)],
      names: null,
      freed: ["10.0.0.1"],
    });
  });

  test("DA-168: whose port gets the address of a deleted one: new base files, because the old line is still in memory", () => {
    const memory = loaded([line(1)], { deltas: [[`${macNumber(1)},ignore`]] });

    const plan = planDnsmasq(desired([line(2, 1)]), memory, "fits");

    assert.equal(plan.action, "reload");
    assert.deepEqual(planDnsmasq(desired([line(2, 1)]), loaded([line(1)]), "fits"), {
      action: "reload",
      reason: "an address gets another line",
      freed: ["10.0.0.1"],
    });
  });

  test("DA-169: whose ports swap their addresses: one reload", () => {
    assert.deepEqual(planDnsmasq(desired([line(1, 2), line(2, 1)]), loaded([line(1), line(2)]), "fits"), {
      action: "reload",
      reason: "an address gets another line",
      freed: ["10.0.0.1", "10.0.0.2"],
    });
  });

  test("whose port moves a second time, or comes back: a reload, because an older line may still be found", () => {
    const moved = loaded([line(1)], { deltas: [[line(1, 9)]] });
    const buried = loaded([line(1)], { deltas: [[`${macNumber(1)},ignore`]] });

    assert.equal(planDnsmasq(desired([line(1, 8)]), moved, "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1, 8)]), buried, "fits").action, "reload");
    assert.deepEqual([...moved.hosts.lines], [line(1, 9)]);
    assert.deepEqual([...buried.hosts.lines], []);
  });

  test("whose port loses one of several lines of one identity: a reload, because a tombstone hides them all", () => {
    const second = line(1, 99);

    assert.equal(planDnsmasq(desired([line(1)]), loaded([line(1), second]), "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1), second]), loaded([line(1)]), "fits").action, "reload");
  });

  test("whose port loses IPv6 and keeps IPv4: a tombstone for DHCPv6 only", () => {
    const six = `${macNumber(1)},tag:dhcpv6,h1,[2001:db8::1]`;

    const plan = planDnsmasq(desired([line(1)]), loaded([line(1), six]), "fits");

    assert.deepEqual(plan.action === "change" && plan.hostLines, [`${macNumber(1)},tag:dhcpv6,ignore`]);
  });

  test("whose port gets another client-id: a reload", () => {
    const withId = `${macNumber(1)},id:01:02,h9,10.0.0.9`;

    assert.equal(planDnsmasq(desired([withId]), loaded([line(1)]), "fits").action, "reload");
  });

  test("DA-172: that has another option, or one too many: a reload", () => {
    assert.equal(planDnsmasq(desired([line(1)], [], ["b"]), loaded([line(1)]), "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1)], [], []), loaded([line(1)]), "fits").action, "reload");
  });

  test("whose files are not known: a reload, and nobody knows whose lease is stale", () => {
    assert.deepEqual(planDnsmasq(desired([line(1)]), undefined, "fits"), {
      action: "reload",
      reason: "loaded files are unknown",
      freed: undefined,
    });
  });

  test("that has many small changes: a reload, which folds them in; large networks bear more", () => {
    const small = loaded([line(1)], { deltas: lines(2, 65).map((one) => [one]) });
    const large = loaded(
      Array.from(
        { length: 1000 },
        (_, i) => `fa:16:3e:01:${(i >> 8).toString(16)}0:${(i & 255).toString(16)},x,10.1.${i >> 8}.${i & 255}`,
      ),
      { deltas: lines(2, 102).map((one) => [one]) },
    );

    assert.equal(small.hosts.deltaCount, 63);
    assert.equal(planDnsmasq(desired([...small.hosts.lines, line(100)]), small, "fits").action, "change");
    assert.equal(planDnsmasq(desired([...small.hosts.lines, line(100), line(101)]), small, "fits").action, "reload");
    assert.equal(planDnsmasq(desired([...large.hosts.lines, line(200)]), large, "fits").action, "reload");
    assert.equal(planDnsmasq(desired([...small.hosts.lines]), small, "fits").action, "unchanged");
  });

  test("that has been left alone for a while: small changes are folded in", () => {
    const memory = loaded([line(1)], { deltas: [[line(2)]] });

    assert.equal(planDnsmasq(desired([line(1), line(2)]), memory, "fits", { isIdle: true }).action, "reload");
    assert.equal(planDnsmasq(desired([line(1)]), loaded([line(1)]), "fits", { isIdle: true }).action, "unchanged");
  });

  test("whose names change: their files only, or a reload where dnsmasq cannot take names back", () => {
    const [old, fresh] = ["10.0.0.1\tweb", "10.0.0.1\tdb"];

    assert.deepEqual(planDnsmasq(desired([], [fresh]), loaded([], { dnsLines: new Set([old]) }), "fits"), {
      action: "change",
      hostLines: [],
      names: { kind: "buckets", buckets: new Set([bucketOf(old, 4)]) },
      freed: [],
    });
    const base = loaded([], { dnsLines: new Set([old]), dnsBuckets: 0 });
    assert.equal(planDnsmasq(desired([], [fresh]), base, "fits").action, "reload");
    assert.equal(planDnsmasq(desired([], [old]), base, "fits").action, "unchanged");
    const features = { ...currentFeatures, hasLiveDnsDirectory: false };
    assert.equal(planDnsmasq(desired([], [old, fresh]), base, "fits", { features }).action, "reload");
  });

  test("whose names are in the base: new ones in a file beside it, from where they can go again, but not too many", () => {
    const names = Array.from({ length: 130 }, (_, index) => `10.1.0.${index}\tn${index}`);
    const [one = "", two = "", three = ""] = names;
    const plan = (wanted: readonly string[], dnsAdded: readonly string[]): unknown => {
      const base = { dnsLines: new Set([one, ...dnsAdded]), dnsBuckets: 0, dnsAdded: new Set(dnsAdded) };
      const made = planDnsmasq(desired([], wanted), loaded([], base), "fits");
      return made.action === "change" ? made.names : made.action;
    };

    assert.deepEqual(plan([one, two], []), { kind: "added", lines: [two] });
    assert.deepEqual(plan([one, three], [two]), { kind: "added", lines: [three] });
    assert.deepEqual(plan([one], [two]), { kind: "added", lines: [] });
    assert.equal(plan([two], [two]), "reload");
    assert.equal(plan(names, names.slice(1, 120)), "reload");
  });

  test("that is too old to watch a directory, or dies of a signal: a reload, or a restart", () => {
    const old = { features: { ...currentFeatures, hasDeltaDirectory: false } };
    const fragile = { features: { ...currentFeatures, isReloadSafe: false } };

    assert.equal(planDnsmasq(desired([line(1), line(2)]), loaded([line(1)]), "fits", old).action, "reload");
    assert.equal(planDnsmasq(desired([line(1), line(2)]), loaded([line(1)]), "fits", fragile).action, "change");
    assert.equal(planDnsmasq(desired([], [], ["b"]), loaded([]), "fits", fragile).action, "restart");
  });

  test("that has a tag in memory, in force or not: a restart in place of a reload, and nothing for tidiness alone", () => {
    const tagged = `${line(1)},set:port-1`;
    const buried = loaded([tagged], { deltas: [[`${macNumber(1)},ignore`]] });
    const plan = (memory: LoadedFiles | undefined, isTagged: boolean): string =>
      planDnsmasq(desired([line(1)]), memory, "fits", { isTagged }).action;

    assert.deepEqual(
      [plan(loaded([tagged]), true), plan(buried, true), plan(undefined, true)],
      ["restart", "restart", "restart"],
    );
    assert.equal(plan(undefined, false), "reload");
    assert.equal(planDnsmasq(desired([tagged, line(2)]), loaded([tagged]), "fits").action, "change");
    assert.equal(planDnsmasq(desired([]), buried, "fits", { isIdle: true }).action, "unchanged");
  });

  test("DA-098: that does not run, or runs with other arguments: a start or a restart", () => {
    assert.equal(planDnsmasq(desired([]), loaded([]), "none").action, "start");
    assert.equal(planDnsmasq(desired([]), loaded([]), "differs").action, "restart");
  });
});
