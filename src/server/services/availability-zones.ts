// Zones as the agents name them: of networks by the DHCP agents, of routers by the L3 agents.
import { availabilityZoneResource } from "../../types/resources/availability-zones.ts";
import type { Store } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { listInMemory } from "./list-in-memory.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";
import { missing } from "./service-deps.ts";

const resourceOfRole: Readonly<Record<string, string>> = { dhcp: "network", l3: "router" };

export class AvailabilityZones implements ResourceReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async list(_context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const rows = await translated(
      this.#store.db
        .selectFrom("agents")
        .select((eb) => ["role", "availability_zone", eb.fn.max("admin_state_up").as("up")])
        .where("role", "in", Object.keys(resourceOfRole))
        .groupBy(["role", "availability_zone"])
        .execute(),
    );
    const zones = rows.map(({ role, availability_zone: name, up }) => {
      const resource = resourceOfRole[role] ?? role;
      // Zones have no ids in the API; this one orders them.
      return { id: `${name} ${resource}`, name, resource, state: Number(up) === 1 ? "available" : "unavailable" };
    });
    return listInMemory(zones, query, availabilityZoneResource);
  }

  /** A name alone does not say of which resource. */
  async show(_context: RequestContext, id: string): Promise<Attributes> {
    throw missing(availabilityZoneResource, id);
  }
}
