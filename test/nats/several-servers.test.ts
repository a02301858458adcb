// Two servers on one PostgreSQL and one NATS: clients may ask either, agents hear each change once, and when one is killed the
// other does its work.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { StreamMessage } from "../../src/types/agent-messages.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { startPostgres, type TestPostgres, whyNoPostgres } from "../helpers/postgres.ts";
import { RawAgent } from "../helpers/raw-agent.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const skip = whyNoPostgres();

interface Server {
  readonly child: ChildProcess;
  readonly client: RestClient;
}

let directory: string;
let nats: TestNats;
let postgres: TestPostgres;
let url: string;
let db: pg.Client;
let agent: RawAgent;
let epoch: string;
let networkId: string;
let [one, other]: readonly Server[] = [];
const children: ChildProcess[] = [];

async function startServer(name: string): Promise<Server> {
  const flags = ["--state-dir", directory, "--host", name, "--listen", "127.0.0.1:0", "--nats-url", nats.url, "--db", url];
  // The agent of this test never beats.
  const patience = ["--dhcp-agent-down-ms", "3600000", "--dhcp-failover-after-ms", "7200000", "--log-level", "error"];
  const child = fork(launcher, ["server", ...flags, ...patience], { execArgv: [] });
  children.push(child);
  const { url: listens } = await untilReady(child);
  return { child, client: new RestClient(listens) };
}

/** What the servers tell of the stream, item by item: both may tell one, in batches of their own, and must say the same. */
function told(messages: readonly StreamMessage[]): ReadonlyMap<number, string> {
  const bySeq = new Map<number, string>();
  for (const { seq, prev, items } of messages) {
    assert.equal(items.length, seq - prev);
    for (const [index, item] of items.entries()) {
      const text = JSON.stringify(item);
      assert.equal(bySeq.get(prev + 1 + index) ?? text, text);
      bySeq.set(prev + 1 + index, text);
    }
  }
  return bySeq;
}

async function createPorts(client: RestClient, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const answer = await client.request("POST", "/v2.0/ports", { port: { network_id: networkId } }).catch(() => undefined);
    const port = (answer?.body as { readonly port?: { readonly id: string } } | undefined)?.port;
    if (port !== undefined) ids.push(port.id);
  }
  return ids;
}

const readRows = async (sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> => (await db.query(sql)).rows;

/** Ids of all ports that the items of these messages bring. */
const portsIn = (messages: readonly StreamMessage[]): ReadonlySet<string> =>
  new Set(messages.flatMap(({ items }) => items.filter((item) => item.kind === "port").map((item) => item.id)));

describe("two servers", skip === undefined ? {} : { skip }, () => {
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-several-"));
    nats = await startTestNats();
    postgres = await startPostgres();
    url = await postgres.createDatabase();
    db = new pg.Client({ connectionString: url });
    // Both at once: they also meet at the migrations.
    [one, other] = await Promise.all([startServer("server-1"), startServer("server-2")]);
    await db.connect();
    agent = new RawAgent(await nats.connectServer(), "node-1");
    ({ epoch } = await agent.sync());
    const network = await one?.client.create("network", { name: "blue" });
    networkId = network?.id ?? "";
    await other?.client.create("subnet", { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/16" });
  });

  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await db?.end();
    await postgres?.close();
    await nats?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test("answer alike, and tell the agent each change of either, in one order", async () => {
    assert.ok(one !== undefined && other !== undefined);
    const [mine, yours] = await Promise.all([createPorts(one.client, 40), createPorts(other.client, 40)]);
    assert.equal(mine.length + yours.length, 80);
    const lists = await Promise.all([one, other].map(({ client }) => client.list("port", "?sort_key=id")));
    assert.deepEqual(lists[0], lists[1]);
    await waitFor(() => [...mine, ...yours].every((id) => portsIn(agent.messages).has(id)), {
      what: "all ports at the agent",
      limitMs: 30_000,
    });
    const [{ head } = {}] = await readRows("select head from streams where role = 'dhcp' and host = 'node-1'");
    assert.equal(Math.max(...told(agent.messages).keys()), Number(head));
    const addresses = lists[0]?.flatMap((port) => port["fixed_ips"] as readonly { readonly ip_address: string }[]) ?? [];
    assert.equal(new Set(addresses.map((ip) => ip.ip_address)).size, addresses.length);
  });

  test("one that is killed in the middle takes nothing with it: what it committed is told, and its jobs go on", async () => {
    assert.ok(one !== undefined && other !== undefined);
    const gone = once(one.child, "exit");
    const work = Promise.all([createPorts(one.client, 60), createPorts(other.client, 60)]);
    await waitFor(async () => Number((await readRows("select count(*) as n from ports"))[0]?.["n"]) > 110, {
      what: "some ports",
      limitMs: 30_000,
    });
    one.child.kill("SIGKILL");
    await gone;
    await work;
    const committed = (await readRows("select id from ports where device_owner = ''")).map((row) => String(row["id"]));
    await waitFor(() => committed.every((id) => portsIn(agent.messages).has(id)), {
      what: "all committed ports at the agent",
      limitMs: 30_000,
    });
    const [{ head } = {}] = await readRows("select head from streams where role = 'dhcp' and host = 'node-1'");
    const rows = await readRows("select seq from outbox where role = 'dhcp' and host = 'node-1' order by seq");
    assert.deepEqual(
      rows.map((row) => Number(row["seq"])),
      Array.from({ length: Number(head) }, (_, index) => index + 1),
    );
    assert.equal(Math.max(...told(agent.messages).keys()), Number(head));
    // The singleton of the notifications was perhaps the dead one's.
    await other.client.create("network", { name: "after" });
    await waitFor(async () => Number((await readRows("select count(*) as n from notifications"))[0]?.["n"]) === 0, {
      what: "notifications that the survivor sends",
      limitMs: 60_000,
    });
    const reply = await agent.sync({ epoch, since: Number(head) });
    assert.equal(reply.epoch, epoch);
  });

  test("a new one joins and finds everything", async () => {
    const third = await startServer("server-3");
    assert.ok(other !== undefined);
    const [mine, theirs] = await Promise.all([third, other].map(({ client }) => client.list("port", "?sort_key=id")));
    assert.deepEqual(mine, theirs);
  });
});
