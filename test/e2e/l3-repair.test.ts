// What others change in a router that both agents serve: the first look after it finds, repairs and counts all of it, as the page of
// the agent says whose it is; then the kernel is as the API says, and the floating IP is reached again from outside.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { figureIn, readAgentPage } from "../helpers/agent-page.ts";
import { FloatingSite } from "../helpers/floating-site.ts";
import { type ChurnRouter, createChurnRouter, plugGuest, unplugGuest } from "../helpers/l3-churn-site.ts";
import { findL3Differences } from "../helpers/l3-truth.ts";
import { sh, skipWithoutRoot } from "../helpers/namespaces.ts";
import { faultsOf } from "../helpers/prometheus-text.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** There is one router, so each sweep is one look at it. */
const sweepMs = 1000;
/** Of waits; what is claimed is told by the count of looks and not by time. */
const limitMs = 20_000;

type Agent = "l3-agent" | "floating-ip-agent";
const figureOf: Readonly<Record<Agent, string>> = {
  "l3-agent": "netloom_l3_agent_foreign_changes_total",
  "floating-ip-agent": "netloom_floating_ip_agent_foreign_changes_total",
};

interface Breach {
  readonly what: string;
  /** Who counts it. */
  readonly agent: Agent;
  readonly work: (scene: Scene) => Promise<unknown>;
}

interface Figures {
  /** Of others, that were repaired. */
  readonly changes: number;
  readonly looks: number;
}

interface Scene {
  readonly router: ChurnRouter;
  readonly floating: string;
  readonly qr: string;
  readonly qg: string;
}

const nft = ({ router }: Scene, ...words: readonly string[]): Promise<string> =>
  sh("ip", "netns", "exec", router.namespace, "nft", ...words);
const ip = ({ router }: Scene, ...words: readonly string[]): Promise<string> => sh("ip", "-n", router.namespace, ...words);

const breaches: readonly Breach[] = [
  { what: "a chain was flushed", agent: "l3-agent", work: (scene) => nft(scene, "flush", "chain", "inet", "netloom", "c_pre") },
  {
    what: "a set of the router was flushed",
    agent: "l3-agent",
    work: (scene) => nft(scene, "flush", "map", "inet", "netloom", "gw_src"),
  },
  {
    what: "a map of floating IPs was flushed",
    agent: "floating-ip-agent",
    work: (scene) => nft(scene, "flush", "map", "inet", "netloom", "fip_in"),
  },
  { what: "all rules were flushed", agent: "l3-agent", work: (scene) => nft(scene, "flush", "ruleset") },
  {
    what: "a floating IP's route was removed",
    agent: "floating-ip-agent",
    work: (scene) => ip(scene, "route", "del", "local", scene.floating, "table", "local"),
  },
  {
    what: "the inner address was removed",
    agent: "l3-agent",
    work: (scene) => ip(scene, "addr", "flush", "dev", scene.qr, "scope", "global"),
  },
  {
    what: "the outer address was removed",
    agent: "l3-agent",
    work: (scene) => ip(scene, "addr", "flush", "dev", scene.qg, "scope", "global"),
  },
  { what: "the way out was removed", agent: "l3-agent", work: (scene) => ip(scene, "route", "del", "default") },
  { what: "the inner device was set down", agent: "l3-agent", work: (scene) => ip(scene, "link", "set", scene.qr, "down") },
  { what: "the outer device was set down", agent: "l3-agent", work: (scene) => ip(scene, "link", "set", scene.qg, "down") },
  { what: "the outer device was deleted", agent: "l3-agent", work: (scene) => ip(scene, "link", "del", scene.qg) },
  { what: "the namespace was deleted", agent: "l3-agent", work: ({ router }) => sh("ip", "netns", "del", router.namespace) },
];

describe("a router and its floating IP that others tamper with", { skip: skipWithoutRoot }, () => {
  let site: FloatingSite;
  let scene: Scene;

  const readFigures = async (agent: Agent): Promise<Figures> => {
    const page = await readAgentPage(site.up.stateDir, agent, "metrics");
    assert.deepEqual(faultsOf(page), []);
    const looks = figureIn(page, figureOf[agent].replace("foreign_changes_total", "reconcile_seconds_count"));
    return { changes: figureIn(page, figureOf[agent]), looks };
  };
  const waitForFigures = (agent: Agent, what: string, isSo: (now: Figures) => boolean): Promise<Figures> =>
    waitFor(
      async () => {
        const now = await readFigures(agent);
        return isSo(now) ? now : undefined;
      },
      { limitMs, what },
    );
  const waitForTruth = (): Promise<unknown> =>
    waitFor(() => findL3Differences(site.client, site.up.prefix).then(assertNone), {
      limitMs,
      what: "the kernel to equal the API",
    });
  const waitForAnswer = async (): Promise<unknown> =>
    waitFor(() => sh("ip", "netns", "exec", site.outside.namespace, "ping", "-n", "-c1", "-W1", scene.floating), {
      ...{ limitMs, what: "an answer of the floating IP" },
    });

  before(async () => {
    site = await FloatingSite.create([`--resync-interval-ms=${sweepMs}`]);
    const router = await createChurnRouter(site, 0, false);
    await plugGuest(router);
    const { address: floating } = await site.floatingIp(router.watched.portId);
    const ports = await site.client.list("port", `?device_id=${router.id}`);
    const deviceOf = (owner: string, letters: string): string =>
      `${letters}-${ports.find((port) => port["device_owner"] === `network:${owner}`)?.id.slice(0, 11) ?? ""}`;
    scene = { router, floating, qr: deviceOf("router_interface", "qr"), qg: deviceOf("router_gateway", "qg") };
  });
  after(async () => {
    if (scene !== undefined) await unplugGuest(scene.router);
    await site?.destroy();
  });

  for (const { what, agent, work } of breaches) {
    test(`L3-14: ${what}: the next look repairs and counts it, and the one after that finds nothing`, async () => {
      await waitForTruth();
      await waitForAnswer();
      const before = await readFigures(agent);

      await work(scene);
      const { looks } = await readFigures(agent);

      // Its page is read from time to time: what was found by the look before a page is on that page.
      let notBy = looks;
      const counted = await waitForFigures(agent, "the count", (now) => {
        if (now.changes > before.changes) return true;
        notBy = now.looks;
        return false;
      });
      // One may have been under way when it happened.
      assert.ok(notBy < looks + 2, `not found by look ${notBy - looks} after it`);
      await waitForTruth();
      await waitForAnswer();
      const later = await waitForFigures(agent, "another look", (now) => now.looks > counted.looks);
      assert.equal(later.changes, counted.changes, "it was not all found at once");
    });
  }

  test("sweeps that find nothing count nothing, and both pages are what a scraper takes", async () => {
    await waitForTruth();
    const agents = ["l3-agent", "floating-ip-agent"] as const;
    const before = await Promise.all(agents.map(readFigures));

    const after = await Promise.all(
      agents.map((agent, at) =>
        waitForFigures(agent, `three more looks of the ${agent}`, ({ looks }) => looks >= (before[at]?.looks ?? 0) + 3),
      ),
    );

    assert.deepEqual(
      after.map(({ changes }) => changes),
      before.map(({ changes }) => changes),
    );
  });
});

function assertNone(found: readonly string[]): true {
  if (found.length > 0) throw new Error(found.slice(0, 20).join("; "));
  return true;
}
