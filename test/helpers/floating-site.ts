// A running netloom with an external segment, a router and instances behind it, and what a user does with floating IPs there.
import { createNamespace, deleteNamespace, randomPrefix, sh } from "./namespaces.ts";
import { NetloomUp, netloom } from "./netloom-up.ts";
import { openOutside, type OutsideSegment } from "./outside-segment.ts";
import type { Json, RestClient } from "./rest-client.ts";
import { waitFor } from "./wait-for.ts";

export interface SiteNetwork {
  readonly id: string;
  readonly subnetId: string;
  readonly gatewayIp: string;
}

export interface SiteInstance {
  readonly namespace: string;
  readonly portId: string;
  readonly address: string;
}

export interface SiteFloatingIp {
  readonly id: string;
  readonly address: string;
}

export class FloatingSite {
  readonly up: NetloomUp;
  readonly client: RestClient;
  readonly outside: OutsideSegment;
  readonly externalId: string;
  readonly #namespaces: string[];

  private constructor(up: NetloomUp, outside: OutsideSegment, namespaces: string[], externalId: string) {
    this.up = up;
    this.client = up.client();
    this.outside = outside;
    this.#namespaces = namespaces;
    this.externalId = externalId;
  }

  /** @param flags more of `netloom up` */
  static async create(flags: readonly string[] = []): Promise<FloatingSite> {
    const outside = await openOutside(randomPrefix());
    let up: NetloomUp | undefined;
    try {
      up = await NetloomUp.create([`--l3-bridge-mappings=public:${outside.bridge}`, ...flags]);
      await up.start();
      const client = up.client();
      const provider = { "provider:network_type": "flat", "provider:physical_network": "public" };
      const external = await client.create("network", { name: "public", "router:external": true, ...provider });
      await client.create("subnet", {
        ...{ network_id: external.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false, gateway_ip: outside.address },
        allocation_pools: [{ start: "203.0.113.10", end: "203.0.113.199" }],
      });
      client.close();
      return new FloatingSite(up, outside, [], external.id);
    } catch (thrown) {
      await up?.destroy();
      await outside.remove();
      throw thrown;
    }
  }

  async network(cidr: string): Promise<SiteNetwork> {
    const { id } = await this.client.create("network", { name: cidr });
    const subnet = await this.client.create("subnet", { network_id: id, ip_version: 4, cidr });
    return { id, subnetId: subnet.id, gatewayIp: String(subnet["gateway_ip"]) };
  }

  /** Between the networks and the outside, once an agent serves it. */
  async router(...networks: readonly SiteNetwork[]): Promise<string> {
    const router = await this.client.create("router", { name: "r", external_gateway_info: { network_id: this.externalId } });
    for (const { subnetId } of networks) {
      const answer = await this.client.request("PUT", `/v2.0/routers/${router.id}/add_router_interface`, {
        subnet_id: subnetId,
      });
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    }
    // A router is ACTIVE from the beginning; its ports are when it is served.
    const isServed = async (): Promise<boolean> =>
      (await this.client.list("port", `?device_id=${router.id}`)).every((port) => port["status"] === "ACTIVE");
    await waitFor(isServed, { limitMs: 20_000, what: "the router's ports ACTIVE" });
    return router.id;
  }

  async instance(name: string, network: SiteNetwork): Promise<SiteInstance> {
    const port = await this.client.create("port", { network_id: network.id, name });
    const namespace = await createNamespace(`${this.up.prefix}${name}`);
    this.#namespaces.push(namespace);
    const where = ["--url", this.up.url, "--state-dir", this.up.stateDir];
    const plugged = await netloom(["port", "plug", port.id, "--netns", namespace, ...where]);
    if (plugged.exitCode !== 0) throw new Error(plugged.stderr);
    const [fixed] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
    const address = fixed?.ip_address ?? "";
    await sh("ip", "-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
    await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
    await sh("ip", "-n", namespace, "route", "add", "default", "via", network.gatewayIp);
    return { namespace, portId: port.id, address };
  }

  /** @param portId none: it leads nowhere yet */
  async floatingIp(portId?: string): Promise<SiteFloatingIp> {
    const body = { floating_network_id: this.externalId, ...(portId === undefined ? {} : { port_id: portId }) };
    const created = await this.client.create("floatingip", body);
    const floating = { id: created.id, address: String(created["floating_ip_address"]) };
    if (portId !== undefined) await this.#waitForStatus("floatingip", floating.id, "ACTIVE");
    return floating;
  }

  /** Returns when the agent has done it. @param portId null: leads nowhere any more */
  async lead({ id }: SiteFloatingIp, portId: string | null): Promise<void> {
    await this.client.update("floatingip", id, { port_id: portId });
    await this.#waitForStatus("floatingip", id, portId === null ? "DOWN" : "ACTIVE");
  }

  async forward({ id }: SiteFloatingIp, body: Json): Promise<string> {
    const path = `/v2.0/floatingips/${id}/port_forwardings`;
    const answer = await this.client.request("POST", path, { port_forwarding: body });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return (answer.body as { readonly port_forwarding: { readonly id: string } }).port_forwarding.id;
  }

  async changeForward({ id }: SiteFloatingIp, forwarding: string, changes: Json | undefined): Promise<void> {
    const path = `/v2.0/floatingips/${id}/port_forwardings/${forwarding}`;
    const method = changes === undefined ? "DELETE" : "PUT";
    const answer = await this.client.request(method, path, changes && { port_forwarding: changes });
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
  }

  async destroy(): Promise<void> {
    this.client.close();
    for (const namespace of this.#namespaces) await deleteNamespace(namespace);
    await this.up.destroy();
    await this.outside.remove();
  }

  async #waitForStatus(kind: string, id: string, status: string): Promise<void> {
    const isSo = async (): Promise<boolean> => (await this.client.show(kind, id))["status"] === status;
    await waitFor(isSo, { limitMs: 15_000, what: `${kind} ${status}` });
  }
}
