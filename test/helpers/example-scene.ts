// What examples of resources are made of: who asks, and what is there already.
import type { Body, RealApi } from "./real-api.ts";

export type Wish = Readonly<Record<string, unknown>>;

/** Who asks, as `auth: none` takes it. All but the stranger, the administrator and the service are of project blue. */
export const callers = {
  admin: { "x-project-id": "operators", "x-roles": "admin" },
  manager: { "x-project-id": "blue", "x-roles": "manager" },
  member: { "x-project-id": "blue", "x-roles": "member" },
  reader: { "x-project-id": "blue", "x-roles": "reader" },
  service: { "x-project-id": "services", "x-roles": "service" },
  stranger: { "x-project-id": "red", "x-roles": "member" },
} as const;
export type CallerName = keyof typeof callers;

export interface Example {
  /** A body that is accepted; another one each time. */
  readonly body: () => Promise<Wish> | Wish;
  /** Where its own collection makes none: another way to one, whose id it answers. */
  readonly make?: () => Promise<string>;
  /** It refers to objects of project blue, so that others cannot make it. */
  readonly dependsOnProject?: true;
  /** Values of attributes that are not in `commonValues`; a function answers what else of the body has to change for it. */
  readonly values?: Readonly<Record<string, unknown>>;
  readonly onCreate?: Readonly<Record<string, () => Promise<Wish> | Wish>>;
  readonly onUpdate?: Readonly<Record<string, () => Promise<Wish> | Wish>>;
}

/** Of project blue, but for `outside`, which is everybody's way out. */
export interface ExampleObjects {
  readonly blue: Body;
  readonly subnet: Body;
  readonly pool: Body;
  readonly outside: Body;
  /** A security group. */
  readonly group: Body;
  /** A port with the address 10.128.0.5. */
  readonly web: Body;
}

export interface ExampleScene extends ExampleObjects {
  readonly api: RealApi;
  /** Ids of the objects that collections are below. */
  readonly parents: Readonly<Record<string, string>>;
  /** Small, and another one each time. */
  readonly next: () => number;
}
