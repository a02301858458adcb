// `auth: none`: the headers are believed, so this mode belongs on loopback.
import type { IncomingHttpHeaders } from "node:http";
import { ApiFault } from "../../types/api-faults.ts";
import { type Role, rolesOf } from "../../types/roles.ts";
import type { Authenticator, Identity } from "./authenticator.ts";

/** Project of whoever names none; such a caller has the rights of an administrator. */
export const defaultProjectId = "00000000000000000000000000000001";

const maxNameLength = 255;

const everything: ReadonlySet<Role> = rolesOf(["admin"]);
const plain: ReadonlySet<Role> = rolesOf(["member"]);

/** X-User-Id, X-Project-Id (or X-Tenant-Id) and X-Roles, as sent. A project without roles that are known here is a member. */
export const headerIdentity: Authenticator = {
  async identify(headers): Promise<Identity> {
    const userId = nameOf(headers, "x-user-id", "X-User-Id");
    const projectId = nameOf(headers, "x-project-id", "X-Project-Id") || nameOf(headers, "x-tenant-id", "X-Tenant-Id");
    if (projectId === "") return { userId, projectId: defaultProjectId, roles: everything };
    const known = rolesOf(textOf(headers, "x-roles").split(","));
    return { userId, projectId, roles: known.size === 0 ? plain : known };
  },
};

function nameOf(headers: IncomingHttpHeaders, header: string, title: string): string {
  const name = textOf(headers, header);
  if (name.length > maxNameLength) throw new ApiFault("HTTPBadRequest", `${title} is too long.`);
  return name;
}

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value.join(",") : (value ?? "")).trim();
}
