// Subnet pools through the API: shorthands for what their clients ask.
import { faultOf } from "./fake-api.ts";
import type { Body, RealApi } from "./real-api.ts";

export const blue = { "x-project-id": "blue" } as const;
export const red = { "x-project-id": "red" } as const;

type Headers = Readonly<Record<string, string>>;

export class PoolSite {
  readonly api: RealApi;

  constructor(api: RealApi) {
    this.api = api;
  }

  pool(attributes: object = {}, headers: Headers = blue): Promise<Body> {
    return this.api.create("subnetpool", { name: "pool", prefixes: ["10.0.0.0/16"], ...attributes }, headers);
  }

  scope(attributes: object = {}, headers: Headers = blue): Promise<Body> {
    return this.api.create("address_scope", { name: "scope", ip_version: 4, ...attributes }, headers, "address-scopes");
  }

  /** On a network of its own unless `network_id` says otherwise. */
  async subnet(attributes: object, headers: Headers = blue): Promise<Body> {
    return this.api.create("subnet", { ...(await this.#where(attributes, headers)), ip_version: 4, ...attributes }, headers);
  }

  async #where(attributes: object, headers: Headers): Promise<object> {
    return "network_id" in attributes ? {} : { network_id: (await this.api.create("network", {}, headers)).id };
  }

  /** Why it is not made: status and type of the fault. */
  async refusedPool(attributes: object, headers: Headers = blue): Promise<readonly [number, string]> {
    return this.#refused("subnetpool", { name: "pool", prefixes: ["10.0.0.0/16"], ...attributes }, headers);
  }

  async refusedSubnet(attributes: object, headers: Headers = blue): Promise<readonly [number, string]> {
    const body = { ...(await this.#where(attributes, headers)), ip_version: 4, ...attributes };
    return this.#refused("subnet", body, headers);
  }

  async #refused(kind: string, attributes: object, headers: Headers): Promise<readonly [number, string]> {
    const answer = await this.api.ask(`/v2.0/${kind}s`, { method: "POST", body: { [kind]: attributes }, headers });
    const { status, type } = faultOf(answer);
    return [status, type];
  }

  async change(kind: string, id: string, changes: object, headers: Headers = blue): Promise<Body> {
    const answer = await this.api.ask(`/v2.0/${kind}s/${id}`, { method: "PUT", body: { [kind]: changes }, headers });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.body[kind] as Body;
  }

  async refusedChange(id: string, changes: object, headers: Headers = blue): Promise<readonly [number, string]> {
    const request = { method: "PUT", body: { subnetpool: changes }, headers } as const;
    const { status, type } = faultOf(await this.api.ask(`/v2.0/subnetpools/${id}`, request));
    return [status, type];
  }

  act(id: string, action: string, body: unknown, headers: Headers = blue) {
    return this.api.ask(`/v2.0/subnetpools/${id}/${action}`, { method: "PUT", body, headers });
  }

  async remove(path: string, headers: Headers = blue): Promise<readonly [number, string]> {
    const answer = await this.api.ask(`/v2.0/${path}`, { method: "DELETE", headers });
    return answer.status === 204 ? [204, ""] : [answer.status, faultOf(answer).type];
  }
}
