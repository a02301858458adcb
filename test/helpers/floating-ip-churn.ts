// One client that changes floating IPs of its own at random: made, led somewhere, led elsewhere behind the same router or another,
// taken away, given port forwardings of all kinds, removed. It knows what it asked for only as far as it needs to ask for what is
// allowed: what must be in the end is what the API says then.
import type { ChurnRouter, Target } from "./l3-churn-site.ts";
import type { Random } from "./random.ts";
import type { Json, RestClient } from "./rest-client.ts";

interface Floating {
  readonly id: string;
  target: Target | undefined;
  /** Of its forwardings, while there are any. */
  router: ChurnRouter | undefined;
  /** By id: whether it is of a range. */
  readonly forwardings: Map<string, boolean>;
}

const mostFloating = 24;
const mostForwardings = 3;

export class FloatingIpChurn {
  /** How often each kind of change was made. */
  readonly made: Record<string, number> = {};
  readonly #client: RestClient;
  readonly #externalId: string;
  readonly #routers: readonly ChurnRouter[];
  readonly #random: Random;
  readonly #floating: Floating[] = [];
  /** Ten ports for each forwarding that ever was, so that two never meet. */
  #blocks = 0;

  /** @param parts.routers nobody else's: a port has one floating IP at most */
  constructor(parts: {
    readonly client: RestClient;
    readonly externalId: string;
    readonly routers: readonly ChurnRouter[];
    readonly random: Random;
  }) {
    this.#client = parts.client;
    this.#externalId = parts.externalId;
    this.#routers = parts.routers;
    this.#random = parts.random;
  }

  /** One request that changes something; throws unless the API does it. */
  async changeOne(): Promise<void> {
    const random = this.#random;
    if (this.#floating.length < 4 || (this.#floating.length < mostFloating && random.below(5) === 0)) return this.#create();
    const one = random.pick(this.#floating);
    if (random.below(10) === 0) return this.#remove(one);
    if (one.target !== undefined) return random.below(3) === 0 ? this.#lead(one, undefined) : this.#move(one);
    if (one.forwardings.size > 0) return this.#changeForwardings(one);
    return random.below(2) === 0 ? this.#forward(one) : this.#lead(one, this.#freeTarget());
  }

  /** Takes all away again. */
  async removeAll(): Promise<void> {
    for (const one of [...this.#floating]) await this.#remove(one);
  }

  #freeTarget(routers: readonly ChurnRouter[] = this.#routers): Target | undefined {
    const taken = new Set(this.#floating.map(({ target }) => target?.portId));
    const free = routers.flatMap(({ targets }) => targets).filter(({ portId }) => !taken.has(portId));
    return free.length === 0 ? undefined : this.#random.pick(free);
  }

  async #create(): Promise<void> {
    const target = this.#random.below(2) === 0 ? this.#freeTarget() : undefined;
    const body = { floating_network_id: this.#externalId, ...(target === undefined ? {} : { port_id: target.portId }) };
    const { id } = await this.#client.create("floatingip", body);
    this.#floating.push({ id, target, router: undefined, forwardings: new Map() });
    this.#count(target === undefined ? "create" : "create associated");
  }

  async #remove(one: Floating): Promise<void> {
    this.#floating.splice(this.#floating.indexOf(one), 1);
    await this.#client.remove("floatingip", one.id);
    this.#count("delete");
  }

  async #lead(one: Floating, target: Target | undefined): Promise<void> {
    one.target = target;
    await this.#client.update("floatingip", one.id, { port_id: target?.portId ?? null });
    this.#count(target === undefined ? "disassociate" : "associate");
  }

  async #move(one: Floating): Promise<void> {
    const here = this.#routers.filter(({ targets }) => targets.some(({ portId }) => portId === one.target?.portId));
    const target = this.#random.below(2) === 0 ? this.#freeTarget(here) : undefined;
    const elsewhere = this.#freeTarget(this.#routers.filter((router) => !here.includes(router)));
    one.target = target ?? elsewhere;
    await this.#client.update("floatingip", one.id, { port_id: one.target?.portId ?? null });
    this.#count(target === undefined ? "move to another router" : "move behind the router");
  }

  async #changeForwardings(one: Floating): Promise<void> {
    const [id, isRange] = this.#random.pick([...one.forwardings]);
    const choice = this.#random.below(4);
    if (choice === 0 && one.forwardings.size < mostForwardings) return this.#forward(one);
    const path = `/v2.0/floatingips/${one.id}/port_forwardings/${id}`;
    if (choice < 3) {
      const first = this.#nextBlock();
      const external = isRange ? { external_port_range: `${first}:${first + 4}` } : { external_port: first };
      await this.#ask(200, "PUT", path, { port_forwarding: external });
      this.#count("change forwarding");
      return;
    }
    one.forwardings.delete(id);
    await this.#ask(204, "DELETE", path);
    this.#count("delete forwarding");
  }

  async #forward(one: Floating): Promise<void> {
    if (one.forwardings.size === 0) one.router = this.#random.pick(this.#routers);
    const { portId = "", address = "" } = one.router?.forwardTarget ?? {};
    const first = this.#nextBlock();
    const range = (from: number): string => `${from}:${from + 4}`;
    const kinds: readonly Json[] = [
      { external_port: first, internal_port: first },
      { external_port: first, internal_port: 20_000 + first },
      { external_port_range: range(first), internal_port_range: range(first) },
      { external_port_range: range(first), internal_port_range: range(20_000 + first) },
      { external_port_range: range(first), internal_port: first },
    ];
    const kind = this.#random.pick(kinds);
    const protocol = this.#random.pick(["tcp", "udp"]);
    const body = { ...kind, protocol, internal_port_id: portId, internal_ip_address: address };
    const answer = await this.#ask(201, "POST", `/v2.0/floatingips/${one.id}/port_forwardings`, { port_forwarding: body });
    // The cast: the API's documented form.
    const { id } = (answer as { readonly port_forwarding: { readonly id: string } }).port_forwarding;
    one.forwardings.set(id, Object.hasOwn(kind, "external_port_range"));
    this.#count("create forwarding");
  }

  #nextBlock(): number {
    this.#blocks += 1;
    return 10_000 + 10 * this.#blocks;
  }

  async #ask(status: number, method: string, path: string, body?: Json): Promise<unknown> {
    const answer = await this.#client.request(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  #count(kind: string): void {
    this.made[kind] = (this.made[kind] ?? 0) + 1;
  }
}
