// The seam between routes and use cases: a route has parsed, checked and defaulted what the client sent; a service knows
// the rules across objects. Attribute names and values are those of the API (snake_case, `binding:host_id`).

import type { Role } from "../../types/roles.ts";

export interface RequestContext {
  /** `req-<uuid>`, in every log line and in X-Openstack-Request-Id. */
  readonly requestId: string;
  /** Project of the caller; new objects are its, unless an administrator says otherwise. */
  readonly projectId: string;
  readonly isAdmin: boolean;
  /** Of the identity service; "" when nobody is named. */
  readonly userId?: string;
  /** With all that they imply. */
  readonly roles?: ReadonlySet<Role>;
  /** More than a member in its own project; true for administrators too. */
  readonly isManager?: boolean;
  /** The compute side: sees networks, subnets and ports of all projects, and writes ports and their bindings. */
  readonly isService?: boolean;
  /** In its own project. Routes have refused all changes of callers that may not, but for `serviceWrites` of declarations. */
  readonly canWrite?: boolean;
}

export type Attributes = Readonly<Record<string, unknown>>;

export interface ListFilter {
  readonly attribute: string;
  /** One of these; already converted to the attribute's type and canonical text. */
  readonly values: readonly (string | number | boolean | null)[];
}

export interface ListQuery {
  /** All must hold. `fixed_ips` filters have `attribute` `fixed_ips.subnet_id`, `fixed_ips.ip_address` or `fixed_ips.ip_address_substr`. */
  readonly filters: readonly ListFilter[];
  /** The service appends `id` so that the order is total. */
  readonly sorts: readonly { readonly key: string; readonly direction: "asc" | "desc" }[];
  readonly limit?: number;
  /** Id of the last item seen; unknown → the resource's NotFound fault. */
  readonly marker?: string;
  /** Walks back from `marker`; items are still in the asked order. */
  readonly pageReverse: boolean;
  /** Objects whose updated_at is not older; `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly changedSince?: string;
}

/** The list that has the one object, or nothing. */
export const byId = (id: string): ListQuery => ({
  filters: [{ attribute: "id", values: [id] }],
  sorts: [],
  pageReverse: false,
});

export interface ResourceReader {
  /** Items with every attribute; the route drops what was not asked for. */
  list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]>;
  /** The same items, each made when it is taken, so that a long list is never there as a whole. */
  each?(context: RequestContext, query: ListQuery): Promise<Iterable<Attributes>>;
  /** Throws the resource's NotFound fault. */
  show(context: RequestContext, id: string): Promise<Attributes>;
}

export interface ResourceService extends ResourceReader {
  /** All or nothing, in one transaction; answers in the order of `bodies`. */
  create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]>;
  /** `expectedRevision` from If-Match: another one → RevisionNumberConstraintFailed. */
  update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes>;
  remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void>;
}
