// What others change in a router is found within one sweep, repaired and counted; untouched flows lose nothing.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { routerTable } from "../../../src/drivers/l3-layout.ts";
import { FloatingIpHost } from "../../helpers/floating-ip-host.ts";
import type { FloatingIpRig } from "../../helpers/floating-ip-rig.ts";
import { floatingIpItem, forwardingItem } from "../../helpers/floating-ip-items.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { keepPinging, type Pinging } from "../../helpers/packets.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const sweepMs = 1000;

describe("repair of floating IPs", { skip: skipWithoutRoot }, () => {
  let host: FloatingIpHost;
  let rig: FloatingIpRig;
  const pings: Pinging[] = [];
  const nft = (...words: readonly string[]): Promise<string> => sh("ip", "netns", "exec", rig.router, "nft", ...words);

  beforeEach(async () => {
    host = await FloatingIpHost.create();
    rig = await host.addRouter(2);
    const { routerId } = rig.place;
    host.server.commit([
      floatingIpItem(11, 1, { routerId }),
      floatingIpItem(12, 1, { routerId }),
      floatingIpItem(13, 1, { routerId, fixedIp: null, portId: null }),
      forwardingItem(14, 1, { floatingIp: "203.0.113.13", routerId, internalIp: "10.0.0.12" }),
    ]);
    await host.start([`--resync-interval-ms=${sweepMs}`]);
    await host.waitForTruth(rig);
  });
  afterEach(async () => {
    for (const ping of pings.splice(0)) await ping.close();
    await host.close();
  });

  /**
   * By sweeps, one of which may come between two of several changes; they are counted after the repair. @returns how many were
   * counted when it was all of them
   */
  const repaired = async (changes: number): Promise<number> => {
    await host.waitForTruth(rig);
    const count = (): Promise<number> => host.figure("foreign_changes_total");
    await waitFor(async () => (await count()) >= changes, { limitMs: 10 * sweepMs, what: "a count of foreign changes" });
    return count();
  };

  test("elements that were removed come back, and other floating IPs lose no packet", async () => {
    const ping = await keepPinging(rig.outside, "203.0.113.12");
    pings.push(ping);

    await nft("delete", "element", "inet", routerTable, "fip_in", "{ 203.0.113.11 }");
    await nft("delete", "element", "inet", routerTable, "fip_pair", "{ 203.0.113.11 . 10.0.0.11 }");

    assert.equal(await repaired(2), 2);
    assert.equal(await rig.pings(rig.outside, "203.0.113.11"), true);
    const { sent, lost } = await ping.stop();
    assert.ok(lost <= 1, `${lost} of ${sent} pings were lost`);
  });

  test("a local route that was removed comes back, and its neighbours are told", async () => {
    await sh("ip", "-n", rig.router, "route", "del", "local", "203.0.113.11", "table", "local");

    assert.equal(await repaired(1), 1);
    assert.equal(await rig.pings(rig.outside, "203.0.113.11"), true);
  });

  test("sets that were flushed are filled again", async () => {
    for (const name of ["fip_in", "fip_out", "pf"]) await nft("flush", "map", "inet", routerTable, name);

    // Two of each of the floating IPs' maps, and one of the port forwardings'.
    assert.equal(await repaired(5), 5);
    for (const n of [11, 12]) assert.equal(await rig.pings(rig.outside, `203.0.113.${n}`), true);
  });

  test("what others added is taken away", async () => {
    await nft("add", "element", "inet", routerTable, "fip_in", "{ 203.0.113.77 : 10.0.0.12 }");
    await sh("ip", "-n", rig.router, ..."route add local 203.0.113.77 table local proto static dev".split(" "), qg());

    assert.equal(await repaired(2), 2);
    assert.equal(await rig.isSilent(rig.outside, "203.0.113.77"), true);
  });

  test("a value that was changed is changed back", async () => {
    const set = (verb: string, text: string): string => `${verb} element inet ${routerTable} fip_in { ${text} }`;
    await nft(`${set("delete", "203.0.113.11")}; ${set("add", "203.0.113.11 : 10.0.0.12")}`);

    assert.equal(await repaired(1), 1);
  });

  test("a router that was made anew is loaded at once, and nothing of that is called foreign", async () => {
    const { routerId } = rig.place;
    await host.untell(routerId);
    const next = await host.addRouter(2);
    const moved = { ...next.place, routerId };
    await host.tell(moved);

    const fresh: FloatingIpRig = { ...next, place: moved };
    await host.waitForTruth(fresh);
    assert.equal(await fresh.pings(fresh.outside, "203.0.113.11"), true);
    assert.equal(await host.figure("foreign_changes_total"), 0);
  });

  const qg = (): string => rig.place.gatewayDevice ?? "";
});
