import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DesiredFiles } from "../../../../src/drivers/dnsmasq/desired-files.ts";
import { type LoadedFiles, planDnsmasq } from "../../../../src/drivers/dnsmasq/plan.ts";

const line = (index: number): string => `fa:16:3e:00:00:${index.toString(16).padStart(2, "0")},h${index},10.0.0.${index}`;
const desired = (
  hostLines: readonly string[],
  dnsLines: readonly string[] = [],
  optsLines: readonly string[] = ["a"],
): DesiredFiles => ({
  hostLines,
  dnsLines,
  optsLines,
  domain: "",
  refused: [],
});
const loaded = (hostLines: readonly string[], values: Partial<LoadedFiles> = {}): LoadedFiles => ({
  hostLines: new Set(hostLines),
  dnsLines: new Set(),
  optsText: "a\n",
  deltaCount: 0,
  addedDnsLines: [],
  ...values,
});

describe("the plan for a dnsmasq", () => {
  test("that has it all already: nothing", () => {
    assert.deepEqual(planDnsmasq(desired([line(1)]), loaded([line(1)]), "fits"), { action: "unchanged" });
  });

  test("that misses a port: just its lines", () => {
    assert.deepEqual(planDnsmasq(desired([line(1), line(2)], ["d"]), loaded([line(1)]), "fits"), {
      action: "add",
      hostLines: [line(2)],
      dnsLines: ["d"],
    });
  });

  test("that has a line too many, changed or unknown: a reload", () => {
    assert.equal(planDnsmasq(desired([]), loaded([line(1)]), "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(2)]), loaded([line(1)]), "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1)]), loaded([line(1)], { dnsLines: new Set(["old"]) }), "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1)]), undefined, "fits").action, "reload");
    assert.equal(planDnsmasq(desired([line(1)], [], ["b"]), loaded([line(1)]), "fits").action, "reload");
  });

  test("that would get a second line of a MAC: a reload, because the order of lines decides", () => {
    const second = line(1).replace("10.0.0.1", "10.0.0.99");

    assert.equal(planDnsmasq(desired([line(1), second]), loaded([line(1)]), "fits").action, "reload");
  });

  test("that has many small files: a reload, which folds them in", () => {
    assert.equal(planDnsmasq(desired([line(1), line(2)]), loaded([line(1)], { deltaCount: 255 }), "fits").action, "add");
    assert.equal(planDnsmasq(desired([line(1), line(2)]), loaded([line(1)], { deltaCount: 256 }), "fits").action, "reload");
  });

  test("that does not run, or runs with other arguments: a start or a restart", () => {
    assert.equal(planDnsmasq(desired([]), loaded([]), "none").action, "start");
    assert.equal(planDnsmasq(desired([]), loaded([]), "differs").action, "restart");
  });
});
