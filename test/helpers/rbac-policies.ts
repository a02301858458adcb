// RBAC policies through the API: shorthands for what their clients ask.
import assert from "node:assert/strict";
import type { Answer } from "./fake-api.ts";
import type { Body, RealApi } from "./real-api.ts";

export const projects = { blue: "b".repeat(32), red: "e".repeat(32), green: "9".repeat(32) } as const;
export const as = (name: keyof typeof projects): Record<string, string> => ({ "x-project-id": projects[name] });

export interface Wish {
  readonly id: string;
  readonly to: string;
  readonly by?: Record<string, string>;
  readonly action?: string;
  readonly type?: string;
}

export const share = (
  api: RealApi,
  { id, to, by = as("blue"), action = "access_as_shared", type = "network" }: Wish,
): Promise<Answer> =>
  api.ask("/v2.0/rbac-policies", {
    method: "POST",
    headers: by,
    body: { rbac_policy: { object_type: type, object_id: id, action, target_tenant: to } },
  });
export const shared = async (api: RealApi, wish: Wish): Promise<Body> => {
  const answer = await share(api, wish);
  assert.equal(answer.status, 201, answer.text);
  return answer.body["rbac_policy"] as Body;
};
export const end = (api: RealApi, { id }: Body, by = as("blue")): Promise<Answer> =>
  api.ask(`/v2.0/rbac-policies/${id}`, { method: "DELETE", headers: by });
export const move = (api: RealApi, { id }: Body, target_project: string, by = as("blue")): Promise<Answer> =>
  api.ask(`/v2.0/rbac-policies/${id}`, { method: "PUT", headers: by, body: { rbac_policy: { target_project } } });
