// What many clients do to ports and networks of two projects in whatever order, and what is known of it afterwards.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import type { KillableServer } from "./killable-server.ts";
import type { RestAnswer } from "./rest-client.ts";

export type Step =
  | { readonly kind: "create"; readonly mac: number | undefined; readonly host: number | undefined }
  | { readonly kind: "rename" | "move" | "remac" | "delete" | "drop-network"; readonly pick: number }
  | { readonly kind: "network" };

export const step: fc.Arbitrary<Step> = fc.oneof(
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

/** What one run knows: two projects, a network of few addresses, and what became of each port. */
export class InterleavedRun {
  readonly projects = [0, 1].map(() => `p-${randomBytes(4).toString("hex")}`);
  readonly ports: string[] = [];
  readonly networks: string[] = [];
  readonly gone = new Set<string>();
  /** Nobody heard whether it went. */
  readonly doubtful = new Set<string>();
  readonly #servers: readonly KillableServer[];
  readonly networkId: string;
  answered = 0;

  constructor(servers: readonly KillableServer[], networkId: string) {
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
