// Which way leases go, by what is asked for and what is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { chooseLeaseWays, type LeaseWaysOptions } from "../../../src/leases/lease-ways.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";

const nothing = "/nonexistent";
const everything = process.env["PATH"] ?? "";

const choose = async (values: Pick<LeaseWaysOptions, "mode" | "hasDbus" | "searchPath">) =>
  chooseLeaseWays({
    ...{ stateDir: "/nonexistent/state", clock: systemClock, timers: systemTimers, log: silentLogger },
    runner: { run: async () => assert.fail("nothing is started by a choice") },
    ...values,
  });

test("auto is the bus where dnsmasq and the host can do it, and then there is no script", async () => {
  const { control, script } = await choose({ mode: "auto", hasDbus: true, searchPath: everything });

  assert.notEqual(control, undefined);
  assert.deepEqual(script, { leaseScript: undefined, leaseSocket: undefined });
});

test("auto is the script where dnsmasq has no D-Bus, and where there is no dbus-daemon", async () => {
  for (const values of [
    { hasDbus: false, searchPath: everything },
    { hasDbus: true, searchPath: nothing },
  ]) {
    const { control, script } = await choose({ mode: "auto", ...values });

    assert.equal(control, undefined);
    assert.match(script.leaseScript ?? "", /netloom-lease-relay$/);
    assert.equal(script.leaseSocket, "/nonexistent/state/dhcp/lease_relay");
  }
});

test("script is the script also where there could be a bus", async () => {
  assert.equal((await choose({ mode: "script", hasDbus: true, searchPath: everything })).control, undefined);
});

test("bus where there can be none is refused with the reason", async () => {
  await assert.rejects(choose({ mode: "bus", hasDbus: true, searchPath: nothing }), /dbus-daemon is not installed/);
  await assert.rejects(choose({ mode: "bus", hasDbus: false, searchPath: everything }), /built without D-Bus/);
});
