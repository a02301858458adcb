// Services that keep what they were asked and answer what they were told to; the rules of the real ones are not theirs.
import { randomUUID } from "node:crypto";
import type { AgentService } from "../../src/server/services/agent-admin-service-types.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "../../src/server/services/resource-service.ts";

export interface Call {
  readonly verb: string;
  readonly context: RequestContext;
  readonly arguments: readonly unknown[];
}

export class FakeResourceService implements ResourceService {
  readonly calls: Call[] = [];
  items: readonly Attributes[] = [];
  /** Thrown by every call while it is set; anything can be thrown. */
  failure: { readonly thrown: unknown } | undefined;
  /** Runs within every call before it answers. */
  meanwhile: () => Promise<void> = async () => {};

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    await this.#record("list", context, query);
    return query.limit === undefined ? this.items : this.items.slice(0, query.limit);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    await this.#record("show", context, id);
    return { ...this.items[0], id };
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    await this.#record("create", context, bodies);
    return bodies.map((body) => ({ ...body, id: randomUUID() }));
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    await this.#record("update", context, id, changes, expectedRevision);
    return { ...changes, id };
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#record("remove", context, id, expectedRevision);
  }

  /** Calls that would have changed something. */
  get writes(): readonly Call[] {
    return this.calls.filter(({ verb }) => !/^(list|show)/.test(verb));
  }

  /** Bodies of the first create. */
  get created(): readonly Attributes[] {
    const bodies = this.calls.find(({ verb }) => verb === "create")?.arguments[0];
    // The first argument of a create is a list of bodies: `create` above is the only one that records it.
    return (bodies ?? []) as readonly Attributes[];
  }

  get lastQuery(): ListQuery | undefined {
    // The first argument of a list is a ListQuery: `list` above is the only one that records it.
    return this.calls.findLast(({ verb }) => verb === "list")?.arguments[0] as ListQuery | undefined;
  }

  async #record(verb: string, context: RequestContext, ...rest: readonly unknown[]): Promise<void> {
    this.calls.push({ verb, context, arguments: rest });
    await this.meanwhile();
    if (this.failure !== undefined) throw this.failure.thrown;
  }
}

/** The same for agents. Composition, because a house rule forbids inheritance. */
export class FakeAgentService implements AgentService {
  readonly resource = new FakeResourceService();
  readonly hosting: string[] = [];
  networks: readonly Attributes[] = [];

  list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.resource.list(context, query);
  }

  show(context: RequestContext, id: string): Promise<Attributes> {
    return this.resource.show(context, id);
  }

  update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    return this.resource.update(context, id, changes);
  }

  remove(context: RequestContext, id: string): Promise<void> {
    return this.resource.remove(context, id);
  }

  async status(_context: RequestContext, id: string): Promise<Attributes> {
    return { agent_id: id, networks: [] };
  }

  async listNetworks(): Promise<readonly Attributes[]> {
    return this.networks;
  }

  async addNetwork(_context: RequestContext, agentId: string, networkId: string): Promise<void> {
    this.hosting.push(`${agentId} ${networkId}`);
  }

  async removeNetwork(_context: RequestContext, agentId: string, networkId: string): Promise<void> {
    this.hosting.splice(this.hosting.indexOf(`${agentId} ${networkId}`), 1);
  }

  async listForNetwork(): Promise<readonly Attributes[]> {
    return this.resource.items;
  }
}
