// What clients ask for one by one on the same network is made together: every port there takes its address from the same subnets,
// so they would wait for each other's locks, each for the whole way to the database and back.
import { GroupCommit } from "../../base/group-commit.ts";
import { NetloomError } from "../../base/errors.ts";
import { currentTrace, type TraceContext } from "../../base/trace-context.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { noteAskers } from "../store/notifications.ts";
import { createPorts, type CreatedPort } from "./port-create.ts";
import { checkDevicesOwned } from "./port-uses.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import type { ServiceDeps } from "./service-deps.ts";

interface Asked {
  readonly context: RequestContext;
  readonly body: Attributes;
  /** Of the request: in a group each keeps its own. */
  readonly trace: TraceContext | undefined;
}

/** As many as one statement inserts. */
const maxTogether = 100;
/** Less than a transaction takes. */
const lingerMs = 2;

export class PortCreator {
  readonly #deps: ServiceDeps;
  readonly #groups: GroupCommit<Asked, CreatedPort>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    this.#groups = new GroupCommit({
      commit: (requests) => this.#commitGroup(requests),
      isRefusal,
      ...{ maxTogether, lingerMs },
    });
  }

  /** In the order of `bodies`, all or nothing, of each call. Throws ApiFault. */
  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly CreatedPort[]> {
    const [body, ...more] = bodies;
    if (body === undefined || more.length > 0) return this.#commit(context, bodies);
    return [await this.#groups.run(groupKey(context, body), { context, body, trace: currentTrace() })];
  }

  async #commitGroup(requests: readonly Asked[]): Promise<readonly CreatedPort[]> {
    const [first] = requests;
    if (first === undefined) return [];
    const bodies = requests.map(({ body }) => body);
    return this.#commit(
      first.context,
      bodies,
      requests.map(({ trace }) => trace),
    );
  }

  #commit(
    context: RequestContext,
    bodies: readonly Attributes[],
    traces: readonly (TraceContext | undefined)[] = [],
  ): Promise<readonly CreatedPort[]> {
    return this.#deps.store.transaction(async (trx) => {
      await checkDevicesOwned(trx, context, bodies);
      const created = await createPorts(trx, this.#deps, { context, bodies, takesQuota: true, traces });
      if (traces.length > 1)
        noteAskers(
          trx,
          created.map(({ row }, index) => ({ id: row.id, trace: traces[index] })),
        );
      return created;
    });
  }
}

/** Nothing was committed for sure. Of a connection that died nobody knows, and what is tried again might then be there twice. */
const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof ApiFault || (thrown instanceof NetloomError && thrown.code === "CONFLICT");

/** The same rights, the same network. */
function groupKey(
  { projectId, isAdmin, userId, roles = new Set(), isManager, isService, canWrite }: RequestContext,
  body: Attributes,
): string {
  const named = [...roles].sort((a, b) => a.localeCompare(b));
  return JSON.stringify([body["network_id"], projectId, isAdmin, userId, named, isManager, isService, canWrite]);
}
