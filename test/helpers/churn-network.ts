// One network of a churn: ports come and go by the API, while clients in a namespace on its bridge ask all the time, in the name of
// ports that live and of ports that are gone.
import { setTimeout as delay } from "node:timers/promises";
import type { ChurnKills } from "./churn-kills.ts";
import { ChurnLedger, type Heard, type Tenure } from "./churn-ledger.ts";
import { DhcpProbe } from "./dhcp-probe/probe.ts";
import { createNamespace, deleteNamespace, sh } from "./namespaces.ts";
import type { NetloomUp } from "./netloom-up.ts";
import type { Random } from "./random.ts";
import type { Json, RestClient } from "./rest-client.ts";
import { waitFor } from "./wait-for.ts";

/** How long a client may wait for its answer. */
const answerLimitMs = 2000;
/** The same where all ask at once, and it is only what they hear that counts. */
const crowdLimitMs = 10_000;
/** As long as those are asked who should hear nothing. */
const silenceMs = 400;
/** A /28 has 13 for ports and the agent's own: most addresses are somebody's second. */
const mostLiving = 9;

const addressOf = (port: Json): string =>
  // The cast: the API's documented form.
  (port["fixed_ips"] as readonly { readonly ip_address: string }[])[0]?.ip_address ?? "";

export interface Watching {
  readonly random: Random;
  readonly isOver: () => boolean;
  readonly kills: ChurnKills;
}

export class ChurnNetwork {
  readonly id: string;
  readonly bridge: string;
  readonly ledger = new ChurnLedger();
  /** What nobody should have heard, or not have heard. */
  readonly faults: string[] = [];
  /** Answers that came, after so long. */
  readonly waitedMs: number[] = [];
  /** How long those who asked had to wait for an agent that was dead together with their server. */
  excusedMs = 0;
  readonly #client: RestClient;
  readonly #device: string;
  #probe: DhcpProbe | undefined;

  constructor(id: string, client: RestClient, prefix: string) {
    this.id = id;
    this.bridge = `brq${id.slice(0, 11)}`;
    this.#client = client;
    this.#device = `${prefix}${id.slice(0, 4)}${id.slice(9, 13)}`;
  }

  static async create(up: NetloomUp, client: RestClient, name: string): Promise<ChurnNetwork> {
    const { id } = await client.create("network", { name });
    // The same addresses everywhere: what is answered must be this network's.
    await client.create("subnet", { network_id: id, ip_version: 4, cidr: "10.40.0.0/28" });
    return new ChurnNetwork(id, client, up.prefix);
  }

  /** A place on the network's bridge that is not a port of the API, so that looking changes nothing. */
  async attach(): Promise<void> {
    const name = this.#device;
    await createNamespace(name);
    const wire = async (): Promise<true> => {
      await sh("ip", "link", "add", name, "master", this.bridge, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
      return true;
    };
    await waitFor(wire, { limitMs: 20_000, what: `bridge ${this.bridge}` });
    await sh("ip", "-n", name, "link", "set", "eth0", "up");
    await sh("ip", "-n", name, "route", "add", "255.255.255.255", "dev", "eth0");
    this.#probe = await DhcpProbe.start(name);
  }

  /** A bridge with a device in it would stay, and rightly. */
  async detach(): Promise<void> {
    await this.#probe?.close();
    this.#probe = undefined;
    await sh("ip", "link", "del", this.#device).catch(() => "");
    await deleteNamespace(this.#device);
  }

  async changeOne(random: Random): Promise<void> {
    const { living } = this.ledger;
    if (living.length > 0 && (living.length >= mostLiving || random.next() < 0.5)) await this.removePort(random.pick(living));
    else await this.createPort();
  }

  async createPort(): Promise<void> {
    const askedAt = performance.now();
    const port = await this.#client.create("port", { network_id: this.id });
    this.ledger.add({ id: port.id, mac: String(port["mac_address"]), address: addressOf(port), askedAt });
  }

  async removePort(tenure: Tenure): Promise<void> {
    tenure.deleteAskedAt = performance.now();
    await this.#client.remove("port", tenure.id);
    tenure.deletedAt = performance.now();
  }

  /** Those that are ACTIVE in a list that the API has just given. */
  noteReady(activeIds: ReadonlySet<string>): void {
    for (const tenure of this.ledger.living) if (activeIds.has(tenure.id)) tenure.readyAt ??= performance.now();
  }

  /** Asks and judges until it is over. */
  async watch(watching: Watching): Promise<void> {
    const living = (): readonly Tenure[] => this.ledger.living.filter(({ readyAt }) => readyAt !== undefined);
    const gone = (): readonly Tenure[] => this.ledger.all.filter(({ deletedAt }) => deletedAt !== undefined).slice(-12);
    await Promise.all([living, gone].map((whom) => this.#ask(whom, watching)));
  }

  async #ask(whom: () => readonly Tenure[], { random, isOver, kills }: Watching): Promise<void> {
    while (!isOver()) {
      const choice = whom();
      if (choice.length > 0) this.#note(await this.hear(random.pick(choice), kills), kills);
      await delay(20);
    }
  }

  #note(heard: Heard, kills: ChurnKills): void {
    const { address, askedAt, answeredAt } = heard;
    if (address !== undefined) this.waitedMs.push(answeredAt - askedAt);
    const fault = this.ledger.judge(heard);
    if (fault === undefined) return;
    this.faults.push(`network ${this.id}: ${fault}; ${kills.describe(this.id, askedAt, answeredAt)}`);
  }

  /**
   * A client's whole exchange; one that is refused asks anew, as clients do. The time in which nobody could answer, because the
   * network's server and the agent were dead together, does not count. @param kills while there are any
   */
  async hear({ mac, deletedAt }: Tenure, kills?: ChurnKills): Promise<Heard> {
    const askedAt = performance.now();
    const patienceMs = kills === undefined ? crowdLimitMs : answerLimitMs;
    const limitMs = deletedAt === undefined ? patienceMs : silenceMs;
    for (;;) {
      const nowAt = performance.now();
      const excusedMs = kills?.bothDownMs(this.id, askedAt, nowAt) ?? 0;
      const timeoutMs = limitMs - (nowAt - askedAt - excusedMs);
      const answer = timeoutMs > 0 ? await this.#probe?.ask(mac, { want: "lease", timeoutMs, everyMs: 200 }) : undefined;
      const isAnswered = answer?.answer === "ack";
      if (answer !== undefined && !isAnswered) continue;
      this.excusedMs += excusedMs;
      return { mac, askedAt, answeredAt: performance.now(), address: isAnswered ? answer.address : undefined };
    }
  }

  /** After all: everybody who ever had a port here asks once more. */
  async askAll(): Promise<void> {
    const heard = await Promise.all(this.ledger.all.map((tenure) => this.hear(tenure)));
    for (const one of heard) {
      const tenure = this.ledger.all.find(({ mac }) => mac === one.mac);
      const expected = tenure?.deletedAt === undefined ? tenure?.address : undefined;
      if (one.address !== expected)
        this.faults.push(`network ${this.id}: in the end ${one.mac} got ${one.address}, not ${expected}`);
    }
  }
}
