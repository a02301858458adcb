// Sixteen clients at real servers, in whatever order: nothing is given out twice, no more than a quota allows and no less, and
// each change that was committed is in the agents' streams and in the notifications exactly once, also across a kill -9.
import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
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
import { forEachDatabase } from "../helpers/databases.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { addAgent } from "../helpers/network-services.ts";
import { type RestAnswer, RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const example = fileURLToPath(new URL("../../docs/examples/follow-notifications.mjs", import.meta.url));
const clients = 16;
const quota = { network: 4, port: 24 };
/** Fewer than the networks that two projects may have. */
const vlans = 6;

type Step =
  | { readonly kind: "create"; readonly mac: number | undefined; readonly host: number | undefined }
  | { readonly kind: "rename" | "move" | "remac" | "delete" | "drop-network"; readonly pick: number }
  | { readonly kind: "network" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      mac: fc.option(fc.nat({ max: 9 }), { nil: undefined, freq: 2 }),
      host: fc.option(fc.integer({ min: 2, max: 30 }), { nil: undefined, freq: 2 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom("rename" as const, "move" as const, "remac" as const), pick: fc.nat() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("delete" as const, "drop-network" as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("network" as const) }) },
);

/** Answers to those who lose a race or come when nothing is left. */
const refusals: ReadonlySet<string> = new Set([
  ...["IpAddressGenerationFailure", "IpAddressAlreadyAllocated", "MacAddressInUse", "OverQuota", "NoNetworkAvailable"],
  ...["PortNotFound", "NetworkNotFound"],
]);

type Row = Readonly<Record<string, unknown>> & { readonly id: string };

/** A server that is started again when it was killed; clients that come in between wait. */
class Server {
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #client: Promise<RestClient> | undefined;

  constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  get client(): Promise<RestClient> {
    this.#client ??= this.#start();
    return this.#client;
  }

  async #start(): Promise<RestClient> {
    const child = fork(launcher, ["server", ...this.#flags], { stdio: ["ignore", "ignore", "ignore", "ipc"], execArgv: [] });
    this.#child = child;
    const [said] = (await once(child, "message")) as [{ readonly url?: string; readonly message?: string }];
    assert.ok(said.url !== undefined, said.message);
    return new RestClient(said.url, clients);
  }

  /** kill -9, and another one in its place. */
  async replace(): Promise<void> {
    await this.kill();
    await this.client;
  }

  async kill(): Promise<void> {
    // One that never came has said why already.
    const [child, client] = [this.#child, await this.#client?.catch(() => undefined)];
    this.#client = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
    client?.close();
  }
}

/** What one run knows: two projects, a network of few addresses, and what became of each port. */
class Run {
  readonly projects = [0, 1].map(() => `p-${randomBytes(4).toString("hex")}`);
  readonly ports: string[] = [];
  readonly networks: string[] = [];
  readonly gone = new Set<string>();
  /** Nobody heard whether it went. */
  readonly doubtful = new Set<string>();
  readonly #servers: readonly Server[];
  readonly networkId: string;
  answered = 0;

  constructor(servers: readonly Server[], networkId: string) {
    this.#servers = servers;
    this.networkId = networkId;
  }

  headersOf = (client: number): Record<string, string> => ({
    "x-project-id": this.projects[client % 2] ?? "",
    "x-roles": "admin",
  });

  /** `undefined`: the server died over it. */
  async ask(client: number, method: string, path: string, body?: unknown): Promise<RestAnswer | undefined> {
    const server = this.#servers[client % this.#servers.length];
    assert.ok(server !== undefined);
    const rest = await server.client;
    try {
      return await rest.request(method, path, body, this.headersOf(client));
    } catch {
      return undefined;
    } finally {
      this.answered += 1;
    }
  }

  async take(client: number, one: Step): Promise<void> {
    if (one.kind === "network")
      return this.#keep(this.networks, await this.ask(client, "POST", "/v2.0/networks", { network: {} }));
    if (one.kind === "create") {
      const port = {
        network_id: this.networkId,
        ...(one.mac === undefined ? {} : { mac_address: `fa:16:3e:00:00:0${one.mac}` }),
        ...(one.host === undefined ? {} : { fixed_ips: [{ ip_address: `10.0.0.${one.host}` }] }),
      };
      return this.#keep(this.ports, await this.ask(client, "POST", "/v2.0/ports", { port }));
    }
    const [list, collection] = one.kind === "drop-network" ? [this.networks, "networks"] : [this.ports, "ports"];
    const id = list[one.pick % Math.max(list.length, 1)];
    if (id === undefined) return;
    const path = `/v2.0/${collection}/${id}`;
    if (one.kind === "delete" || one.kind === "drop-network") {
      const answer = await this.ask(client, "DELETE", path);
      if (answer === undefined) this.doubtful.add(id);
      else if (answer.status === 204) this.gone.add(id);
      return this.#check(answer);
    }
    // Each is one that agents are told of.
    const changes = {
      rename: { dns_name: `n${one.pick}` },
      move: { fixed_ips: [{ ip_address: `10.0.0.${2 + (one.pick % 29)}` }] },
      remac: { mac_address: one.pick % 3 === 0 ? null : `fa:16:3e:00:00:0${one.pick % 10}` },
    };
    this.#check(await this.ask(client, "PUT", path, { port: changes[one.kind] }));
  }

  #keep(list: string[], answer: RestAnswer | undefined): void {
    this.#check(answer);
    if (answer?.status !== 201) return;
    const [object] = Object.values(answer.body as Readonly<Record<string, Row>>);
    if (object !== undefined) list.push(object.id);
  }

  #check(answer: RestAnswer | undefined): void {
    if (answer === undefined || answer.status < 300) return;
    const { type = "" } = (answer.body as { readonly NeutronError?: { readonly type?: string } }).NeutronError ?? {};
    assert.ok(refusals.has(type), `${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async list(collection: string, query: string): Promise<readonly Row[]> {
    const answer = await this.ask(0, "GET", `/v2.0/${collection}?${query}`);
    assert.ok(answer?.status === 200);
    return (answer.body as Readonly<Record<string, readonly Row[]>>)[collection] ?? [];
  }
}

const assertUnique = (values: readonly unknown[], what: string): void =>
  assert.equal(new Set(values.map(String)).size, values.length, `${what}: ${values.map(String).sort().join(" ")}`);

async function checkRun(run: Run): Promise<void> {
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
async function fillUp(run: Run, client: number, project: string): Promise<number> {
  const port = { network_id: run.networkId, fixed_ips: [] };
  for (let n = 0; n <= quota.port; n += 1) {
    const answer = await run.ask(client, "POST", "/v2.0/ports", { port });
    if (answer?.status === 201) continue;
    assert.match(JSON.stringify(answer?.body), /OverQuota/);
    return (await run.list("ports", `project_id=${project}`)).length;
  }
  return Number.POSITIVE_INFINITY;
}

async function clear(run: Run): Promise<void> {
  for (const project of run.projects) {
    for (const { id } of await run.list("networks", `project_id=${project}`))
      await run.ask(0, "DELETE", `/v2.0/networks/${id}`);
  }
}

interface Change {
  readonly action: string;
  readonly revision: number;
}

/** Object id → its changes in the order in which they were told. */
type Histories = ReadonlyMap<string, readonly Change[]>;

/** Made once, changed in steps of one, gone once or as it is in the database. */
function assertHistories(histories: Histories, rows: ReadonlyMap<string, number>): void {
  for (const id of rows.keys()) assert.ok(histories.has(id), `nothing was told of ${id}`);
  for (const [id, changes] of histories) {
    const told = changes.map(({ action, revision }) => `${action} ${revision}`).join(", ");
    const alive = changes.filter(({ action }) => action !== "delete");
    assert.deepEqual(
      alive.map(({ revision }) => revision),
      alive.map((_change, index) => index + (alive[0]?.revision ?? 0)),
      told,
    );
    assert.equal(alive.filter(({ action }) => action === "create").length, 1, told);
    assert.equal(alive[0]?.action, "create", told);
    assert.equal(changes.length - alive.length, rows.has(id) ? 0 : 1, told);
    if (rows.has(id)) assert.equal(alive.at(-1)?.revision, rows.get(id), told);
    else assert.equal(changes.at(-1)?.action, "delete", told);
  }
}

forEachDatabase((name, _openFresh, freshUrl) => {
  let directory = "";
  let nats: TestNats;
  let store: Store;
  let servers: readonly Server[] = [];
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
    servers = Array.from({ length: name === "sqlite" ? 1 : 2 }, () => new Server(args));
    for (const server of servers) await server.client;
  });
  after(async () => {
    follower?.kill("SIGKILL");
    for (const server of servers) await server.kill();
    await store?.close();
    await nats?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function open(): Promise<Run> {
    const rest = await servers[0]?.client;
    assert.ok(rest !== undefined);
    const project_id = `base-${randomBytes(4).toString("hex")}`;
    const network = await rest.create("network", { project_id, "provider:network_type": "local" });
    await rest.create("subnet", { project_id, network_id: network.id, ip_version: 4, cidr: "10.0.0.0/27" });
    return new Run(servers, network.id);
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
