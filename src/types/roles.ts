// The roles that mean something here; all others are ignored.

export const roles = ["admin", "manager", "member", "reader", "service"] as const;

/**
 * `admin` may everything, everywhere. In its own project a `reader` reads, a `member` also writes, and a `manager` also chooses
 * addresses of floating IPs. `service` is for the compute side: it sees networks, subnets and ports of all projects, and writes
 * ports and their bindings.
 */
export type Role = (typeof roles)[number];

const implied: Readonly<Record<Role, readonly Role[]>> = {
  admin: ["admin", "manager", "member", "reader"],
  manager: ["manager", "member", "reader"],
  member: ["member", "reader"],
  reader: ["reader"],
  service: ["service"],
};

/** What older clouds call a member. */
const otherNames: Readonly<Record<string, Role>> = { _member_: "member" };

const isRole = (name: string): name is Role => (roles as readonly string[]).includes(name);

/** Names as an authentication service gives them, in any case → these roles and all that they imply. */
export function rolesOf(names: Iterable<string>): ReadonlySet<Role> {
  const found = new Set<Role>();
  for (const each of names) {
    const name = each.trim().toLowerCase();
    const role = Object.hasOwn(otherNames, name) ? otherNames[name] : name;
    if (role === undefined || !isRole(role)) continue;
    for (const one of implied[role]) found.add(one);
  }
  return found;
}
