import assert from "node:assert/strict";
import { test } from "node:test";
import { type Beat, findAgent, registerAgent, writeBeats } from "../../../src/server/store/agent-rows.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";

const startedAtMs = Date.parse("2026-11-21T10:00:00Z");

const beatOf = (role: string, host: string): Beat => ({
  role,
  host,
  phase: "ready",
  bootId: `boot of ${role} on ${host}`,
  configurations: { networks: host.length, note: 'it\'s "quoted"' },
  atMs: startedAtMs + 5000,
});

forEachDatabase((_name, openFresh) => {
  async function withAgents(agents: readonly (readonly [role: string, host: string])[]): Promise<Store> {
    const store = await openFresh();
    await store.transaction(async (trx) => {
      for (const [role, host] of agents) {
        const program = { binary: `netloom-${role}-agent`, agentType: role, availabilityZone: "nova", configurations: {} };
        const description = { ...program, host, bootId: "first boot", startedAtMs };
        await registerAgent(trx, { role, description, phase: "starting", heartbeatAtMs: startedAtMs });
      }
    });
    return store;
  }

  const write = (store: Store, beats: readonly Beat[]) => store.transaction((trx) => writeBeats(trx, beats));

  test("heartbeats change what agents said, of their role only, and those without a row are answered", async () => {
    const store = await withAgents([
      ["dhcp", "node-1"],
      ["l3", "node-1"],
      ["dhcp", "node-2"],
    ]);

    const unknown = await write(store, [beatOf("dhcp", "node-3"), beatOf("dhcp", "node-1"), beatOf("fip", "node-1")]);

    assert.deepEqual(unknown.map(({ role, host }) => `${role} ${host}`).toSorted(), ["dhcp node-3", "fip node-1"]);
    const heard = await findAgent(store.db, "dhcp", "node-1");
    assert.deepEqual(
      [heard?.phase, heard?.boot_id, heard?.heartbeat_at, JSON.parse(heard?.configurations ?? "")],
      ["ready", "boot of dhcp on node-1", "2026-11-21T10:00:05Z", { networks: 6, note: 'it\'s "quoted"' }],
    );
    assert.equal(heard?.started_at, "2026-11-21T10:00:00Z");
    for (const [role, host] of [
      ["l3", "node-1"],
      ["dhcp", "node-2"],
    ] as const) {
      const other = await findAgent(store.db, role, host);
      assert.deepEqual([other?.phase, other?.boot_id], ["starting", "first boot"]);
    }
  });

  test("more of them than fit into one statement are all written", async () => {
    const hosts = Array.from({ length: 1100 }, (_, n) => `node-${n}`);
    const store = await withAgents(hosts.map((host) => ["dhcp", host] as const));

    assert.deepEqual(
      await write(
        store,
        hosts.map((host) => beatOf("dhcp", host)),
      ),
      [],
    );

    const { ready } = await store.db
      .selectFrom("agents")
      .select((eb) => eb.fn.countAll<number | string>().as("ready"))
      .where("phase", "=", "ready")
      .executeTakeFirstOrThrow();
    assert.equal(Number(ready), hosts.length);
    assert.deepEqual(await write(store, []), []);
  });
});
