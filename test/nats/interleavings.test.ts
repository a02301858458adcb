// Sixteen clients at real servers, in whatever order: nothing is given out twice, no more than a quota allows and no less, and
// each change that was committed is in the agents' streams and in the notifications exactly once, also across a kill -9.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { silentLogger } from "../../src/base/logger.ts";
import { openStore, type Store } from "../../src/server/store/database.ts";
import { streamItemSchema } from "../../src/types/agent-messages.ts";
import { assertHistories, type Change, type Histories } from "../helpers/change-histories.ts";
import { forEachDatabase } from "../helpers/databases.ts";
import { InterleavedRun, type Step, step } from "../helpers/interleaved-run.ts";
import { KillableServer } from "../helpers/killable-server.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { addAgent } from "../helpers/network-services.ts";
import { waitFor } from "../helpers/wait-for.ts";

const example = fileURLToPath(new URL("../../docs/examples/follow-notifications.mjs", import.meta.url));
const clients = 16;
const quota = { network: 4, port: 24 };
/** Fewer than the networks that two projects may have. */
const vlans = 6;

const assertUnique = (values: readonly unknown[], what: string): void =>
  assert.equal(new Set(values.map(String)).size, values.length, `${what}: ${values.map(String).sort().join(" ")}`);

async function checkRun(run: InterleavedRun): Promise<void> {
  const ports = await run.list("ports", `network_id=${run.networkId}`);
  const addresses = ports.flatMap((port) => port["fixed_ips"] as readonly { readonly ip_address: string }[]);
  assertUnique(
    addresses.map(({ ip_address }) => ip_address),
    "addresses",
  );
  assertUnique(
    ports.map((port) => port["mac_address"]),
    "MACs",
  );
  const vlan = (await run.list("networks", "provider:network_type=vlan")).map((network) => network["provider:segmentation_id"]);
  assertUnique(vlan, "segments");
  assert.ok(vlan.length <= vlans);
  const there = new Set([...ports, ...(await run.list("networks", ""))].map(({ id }) => id));
  for (const id of [...run.ports, ...run.networks]) {
    if (!run.doubtful.has(id)) assert.equal(there.has(id), !run.gone.has(id), id);
  }
  for (const [client, project] of run.projects.entries()) {
    assert.ok((await run.list("networks", `project_id=${project}`)).length <= quota.network);
    assert.equal(await fillUp(run, client, project), quota.port);
  }
}

/** Ports that there are when the next one is refused: not one of the quota was lost by whoever failed or died. */
async function fillUp(run: InterleavedRun, client: number, project: string): Promise<number> {
  const port = { network_id: run.networkId, fixed_ips: [] };
  for (let n = 0; n <= quota.port; n += 1) {
    const answer = await run.ask(client, "POST", "/v2.0/ports", { port });
    if (answer?.status === 201) continue;
    assert.match(JSON.stringify(answer?.body), /OverQuota/);
    return (await run.list("ports", `project_id=${project}`)).length;
  }
  return Number.POSITIVE_INFINITY;
}

async function clear(run: InterleavedRun): Promise<void> {
  for (const project of run.projects) {
    for (const { id } of await run.list("networks", `project_id=${project}`))
      await run.ask(0, "DELETE", `/v2.0/networks/${id}`);
  }
}

forEachDatabase((name, _openFresh, freshUrl) => {
  let directory = "";
  let nats: TestNats;
  let store: Store;
  let servers: readonly KillableServer[] = [];
  let follower: ChildProcess | undefined;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-interleave-"));
    nats = await startTestNats([]);
    const url = await freshUrl();
    store = await openStore(url, silentLogger);
    await addAgent(store, "node-1");
    const seedFile = nats.credentials.get("server")?.seedFile ?? "";
    const flags = {
      ...{ "state-dir": directory, db: url, "nats-url": nats.url, "nats-nkey-seed-file": seedFile, listen: "127.0.0.1:0" },
      ...{ "log-level": "error", "quota-port": quota.port, "quota-network": quota.network },
      ...{ "network-vlan-ranges": `physnet:101:${100 + vlans}`, "network-tenant-types": "vlan" },
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    servers = Array.from({ length: name === "sqlite" ? 1 : 2 }, () => new KillableServer(args, clients));
    for (const server of servers) await server.client;
  });
  after(async () => {
    follower?.kill("SIGKILL");
    for (const server of servers) await server.kill();
    await store?.close();
    await nats?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function open(): Promise<InterleavedRun> {
    const rest = await servers[0]?.client;
    assert.ok(rest !== undefined);
    const project_id = `base-${randomBytes(4).toString("hex")}`;
    const network = await rest.create("network", { project_id, "provider:network_type": "local" });
    await rest.create("subnet", { project_id, network_id: network.id, ip_version: 4, cidr: "10.0.0.0/27" });
    return new InterleavedRun(servers, network.id);
  }

  test("nothing is given out twice, and each change is told once, also when a server is killed in between", async () => {
    const histories = fc.array(fc.array(step, { minLength: 4, maxLength: 8 }), { minLength: clients, maxLength: clients });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(histories, async (all) => {
        runs += 1;
        const run = await open();
        const client = async (steps: readonly Step[], index: number): Promise<void> => {
          for (const one of steps) await run.take(index, one);
        };
        const killer = async (): Promise<void> => {
          await waitFor(() => run.answered > 30, { what: "thirty answers", limitMs: 60_000 });
          await servers.at(-1)?.replace();
        };

        await Promise.all([...all.map(client), ...(runs === 2 ? [killer()] : [])]);

        await checkRun(run);
        await clear(run);
      }),
      { numRuns: 5, endOnFailure: true },
    );
    await assertTold();
  });

  async function assertTold(): Promise<void> {
    const revisions = async (table: "networks" | "subnets" | "ports") => {
      const rows = await store.db.selectFrom(table).select(["id", "revision_number"]).execute();
      return rows.map((row) => [row.id, row.revision_number] as const);
    };
    const rows = new Map([...(await revisions("networks")), ...(await revisions("subnets")), ...(await revisions("ports"))]);
    const told = await notified();
    assert.ok(told.size > 100);
    assertHistories(told, rows);
    await assertStream(told, rows);
  }

  /** The stream of the agent that has the networks with subnets. */
  async function assertStream(told: Histories, rows: ReadonlyMap<string, number>): Promise<void> {
    const outbox = await store.db
      .selectFrom("outbox")
      .select(["host", "seq", "item"])
      .where("role", "=", "dhcp")
      .orderBy("seq")
      .execute();
    assert.deepEqual(
      outbox.map(({ seq }) => Number(seq)),
      outbox.map((_row, index) => index + 1),
    );
    const items = outbox.map(({ item }) => streamItemSchema.parse(JSON.parse(item)));
    const ports = Map.groupBy(
      items.filter(({ kind }) => kind === "port"),
      ({ id }) => id,
    );
    for (const [id, changes] of ports) {
      const upserts = changes.filter(({ op }) => op === "upsert").map(({ revision }) => revision);
      const known = (told.get(id) ?? []).filter(({ action }) => action !== "delete").map(({ revision }) => revision);
      assert.deepEqual(upserts, known, id);
      assert.equal(changes.at(-1)?.op, rows.has(id) ? "upsert" : "delete");
      assert.equal(changes.length - upserts.length, rows.has(id) ? 0 : 1);
    }
    const all = [...told].filter(([id]) => ports.has(id));
    assert.ok(all.length > 50);
  }

  /** What a user outside heard, from the beginning. */
  async function notified(): Promise<Histories> {
    const left = () => store.db.selectFrom("notifications").select("id").limit(1).execute();
    await waitFor(async () => (await left()).length === 0, { what: "all notifications to be sent", limitMs: 60_000 });
    const rest = await servers[0]?.client;
    const last = await rest?.create("router", { name: "the last" });
    const seedFile = nats.credentials.get("observer")?.seedFile ?? "";
    follower = spawn(process.execPath, [example, nats.url, seedFile], { stdio: ["ignore", "pipe", "inherit"] });
    const histories = new Map<string, Change[]>();
    if (follower.stdout === null) throw new Error("no output to read");
    createInterface({ input: follower.stdout }).on("line", (line) => {
      const { event, id, revision_number } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      const [resource = "", action = "", phase] = String(event).split(".");
      if (phase !== "end" || !["network", "subnet", "port", "router"].includes(resource)) return;
      const one = histories.get(String(id)) ?? [];
      histories.set(String(id), [...one, { action, revision: Number(revision_number) }]);
    });
    await waitFor(() => last !== undefined && histories.has(last.id), { what: "the last notification", limitMs: 60_000 });
    histories.delete(last?.id ?? "");
    return histories;
  }
});
