// Every attribute of every resource that is served, held against the reference's table: what is declared, and what the server
// answers when it is set by each role, has the wrong type, is missing or read-only, is filtered by and sorted by.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { AttributeDeclaration, ResourceDeclaration } from "../../../src/types/resources/declaration.ts";
import { type ExpectedAttribute, type ExpectedResource, readReference } from "../../helpers/reference-attributes.ts";
import { type CallerName, callers, type Wish } from "../../helpers/example-scene.ts";
import { Scene } from "../../helpers/resource-examples.ts";

const scene = await Scene.open();
after(() => scene.api.close());
const { api } = scene;
const reference = readReference();
const everybody = Object.keys(callers) as readonly CallerName[];
const aliases = new Set((await api.list("extensions")).map(({ alias }) => alias));

interface Served {
  readonly resource: ResourceDeclaration;
  readonly expected: ExpectedResource;
  readonly url: string;
}

/** From the routes that there are, so that a resource that comes is looked at without a line here. */
function served(): readonly Served[] {
  const found = new Map<string, Served>();
  for (const { method, url, operation } of api.app.routes) {
    if (method !== "GET" || operation === undefined || !("verb" in operation) || operation.verb !== "list") continue;
    const { resource } = operation;
    if (found.has(resource.name)) continue;
    const path = url.replace(/\/([^/]+)\/:parentId\//, (_all, parent: string) => `/${parent}/${parentOf(parent)}/`);
    found.set(resource.name, { resource, expected: reference[resource.name] ?? asDeclared(resource), url: path });
  }
  return [...found.values()];
}

function parentOf(collection: string): string {
  const parent = scene.parents[collection];
  assert.ok(parent !== undefined, `test/helpers/resource-examples.ts has no parent in ${collection}`);
  return parent;
}

/** What the reference has no table of is held against its own declaration. */
function asDeclared({ attributes }: ResourceDeclaration): ExpectedResource {
  const expectedOf = ({ post, put, visible, filter, sort, required }: AttributeDeclaration): ExpectedAttribute => ({
    ...{ post, put, visible, filter: filter !== undefined, sort: sort === true, required: required === true },
    ...{ allowed: {}, extension: undefined },
  });
  return Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, expectedOf(attribute)]));
}

const flagsOf = ({ post, put, visible, filter, sort, required }: ExpectedAttribute | AttributeDeclaration) =>
  Object.entries({ post, put, visible, filter, sort, required }).flatMap(([flag, is]) => (is ? [flag] : []));

/** What no alias promises is taken only where it asks for nothing: then it matters little who asks. */
const isPromised = ({ extension }: ExpectedAttribute): boolean => extension === undefined || aliases.has(extension);

/** Where this server does less than the reference asks for. */
const known: readonly string[] = ["binding.project_id lacks [visible]"];

/** Lists may be filtered and sorted by more than the reference asks for; nothing else may be more, and nothing less. */
function declaredDifferently(attribute: AttributeDeclaration | undefined, expected: ExpectedAttribute): string | undefined {
  if (attribute === undefined) return isPromised(expected) ? "is not declared" : undefined;
  const [is, should] = [flagsOf(attribute), flagsOf(expected)];
  const missing = should.filter((flag) => !is.includes(flag));
  const surplus = is.filter((flag) => !should.includes(flag) && flag !== "filter" && flag !== "sort");
  if (surplus.length === 0 && (missing.length === 0 || !isPromised(expected))) return undefined;
  return `lacks [${missing.join()}]${surplus.length === 0 ? "" : `, has also [${surplus.join()}]`}`;
}

for (const { resource, expected, url } of served()) {
  const { name } = resource;
  const declared = Object.entries(resource.attributes).flatMap(([attribute, declaration]) => {
    const should = expected[attribute];
    return should === undefined ? [] : [{ attribute, declaration, should }];
  });
  const owner: CallerName = resource.adminOnly === true ? "admin" : "member";

  test(`${name}: every attribute is declared as the reference has it`, () => {
    const differences = Object.entries(expected).flatMap(([attribute, should]) => {
      const difference = declaredDifferently(resource.attributes[attribute], should);
      return difference === undefined ? [] : [`${name}.${attribute} ${difference}`];
    });
    assert.deepEqual(
      differences.filter((difference) => !known.includes(difference)),
      [],
    );
  });

  // Bindings are known by their host, and for the compute side only: test/contract/api/port-bindings.test.ts.
  if (name === "binding") continue;

  test(`${name}: lists are filtered and sorted by what is declared, and by nothing else`, async () => {
    const wrong: string[] = [];
    const ask = async (what: string, query: string, caller: CallerName, isRight: boolean): Promise<void> => {
      const { status, text } = await api.ask(`${url}?${query}`, { headers: callers[caller] });
      const isAsWanted = isRight ? status === 200 : status === 400 && text.includes('"type":"HTTPBadRequest"');
      if (!isAsWanted) wrong.push(`${what} by ${caller}: ${text.slice(0, 200)}`);
    };
    for (const [attribute, { filter, sort }] of Object.entries(resource.attributes)) {
      const key = encodeURIComponent(attribute);
      for (const caller of ["admin", "member"] as const) {
        const isSeen = caller === "admin" || expected[attribute]?.allowed.read === undefined;
        const value = filter === "fixed-ips" ? "ip_address=192.0.2.1" : "";
        const parsed = filter === "integer" || filter === "boolean" ? "1" : value;
        if (attribute !== "tags")
          await ask(`filter by ${attribute}`, `${key}=${parsed}`, caller, isSeen && filter !== undefined);
        await ask(`sort by ${attribute}`, `sort_key=${key}`, caller, isSeen && sort === true);
      }
    }
    assert.deepEqual(wrong, []);
  });

  if (!resource.canCreate && !resource.canUpdate) continue;
  // For managers: test/contract/api/security-group-statefulness.test.ts.
  if (resource.mayBeForAll === true) continue;

  /** By an administrator, so that it is there whoever may make it. */
  const make = async (): Promise<string> => {
    const example = scene.exampleOf(name);
    if (example.make !== undefined) return example.make();
    const body = { [name]: await example.body() };
    const answer = await api.ask(url, { method: "POST", body, headers: callers[owner] });
    assert.equal(answer.status, 201, answer.text);
    return (answer.body[name] as { readonly id: string }).id;
  };
  const remove = (id: string) => api.ask(`${url}/${id}`, { method: "DELETE", headers: callers.admin });
  /** Sends one wish as this caller; answers the status, and removes what was made. */
  const send = async (method: "POST" | "PUT", target: string, wish: unknown, caller: CallerName = owner) => {
    const answer = await api.ask(target, { method, body: { [name]: wish }, headers: callers[caller] });
    if (answer.status === 201) await remove((answer.body[name] as { readonly id: string }).id);
    const { type, message } = (answer.body["NeutronError"] ?? {}) as { readonly type?: string; readonly message?: string };
    return { status: answer.status, type, message: `${answer.status} ${message ?? ""}` };
  };

  test(`${name}: whoever sets an attribute on create is answered as his role says`, async () => {
    if (!resource.canCreate) return;
    const wrong: string[] = [];
    for (const { attribute, declaration, should } of declared) {
      if (!declaration.post || !isPromised(should)) continue;
      for (const caller of everybody) {
        const wish = await scene.wishFor(name, attribute, "create");
        const body = { ...(await scene.exampleOf(name).body()), ...wish };
        const isDefault = isDeepStrictEqual(wish[attribute], declaration.default);
        const expectedStatus = expectedOnCreate(attribute, isDefault ? undefined : should.allowed.create, caller);
        const { status, message } = await send("POST", url, body, caller);
        if (status !== expectedStatus) wrong.push(`${attribute} by ${caller}, not ${expectedStatus} but ${message}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  function expectedOnCreate(attribute: string, allowed: readonly string[] | undefined, caller: CallerName): number {
    if (caller === "admin") return 201;
    if (caller === "stranger" && (attribute === "project_id" || attribute === "tenant_id")) return 400;
    if (resource.adminOnly === true || caller === "reader") return 403;
    if (caller === "service" && resource.serviceWrites !== true) return 403;
    const dependent = caller === "stranger" && scene.exampleOf(name).dependsOnProject === true ? 404 : 201;
    if (allowed === undefined || allowed.includes(caller)) return dependent;
    return caller !== "service" && allowed.includes("owner") ? dependent : 403;
  }

  test(`${name}: whoever sets an attribute on update is answered as his role says`, async () => {
    if (!resource.canUpdate) return;
    const wrong: string[] = [];
    for (const { attribute, declaration, should } of declared) {
      if (!declaration.put || !isPromised(should)) continue;
      const id = await make();
      for (const caller of everybody) {
        const wish = await scene.wishFor(name, attribute, "update");
        const statuses = expectedOnUpdate(should.allowed.update, caller);
        const { status, message } = await send("PUT", `${url}/${id}`, wish, caller);
        if (!statuses.includes(status)) wrong.push(`${attribute} by ${caller}, not ${statuses.join(" or ")} but ${message}`);
      }
      await remove(id);
    }
    assert.deepEqual(wrong, []);
  });

  function expectedOnUpdate(allowed: readonly string[] | undefined, caller: CallerName): readonly number[] {
    if (caller === "admin") return [200];
    // Who may not see it may hear either that it is not there or that nobody of his kind may change such a thing.
    if (resource.adminOnly === true) return [403, 404];
    if (caller === "reader" || (caller === "service" && resource.serviceWrites !== true)) return [403];
    if (caller === "stranger") return allowed === undefined || allowed.includes("owner") ? [404] : [403, 404];
    if (allowed === undefined || allowed.includes(caller)) return [200];
    return caller !== "service" && allowed.includes("owner") ? [200] : [403];
  }

  test(`${name}: a value of the wrong type, an attribute that is missing or read-only and one that is unknown are refused`, async () => {
    const id = await make();
    const wrong: string[] = [];
    const expectRefusal = async (what: string, method: "POST" | "PUT", wish: Wish, pattern: RegExp): Promise<void> => {
      const { status, type, message } = await send(method, method === "POST" ? url : `${url}/${id}`, wish);
      if (status !== 400 || type !== "HTTPBadRequest" || !pattern.test(message)) wrong.push(`${what}: ${message}`);
    };
    for (const [attribute, declaration] of [
      ...Object.entries(resource.attributes),
      ["no_such_attribute", undefined] as const,
    ]) {
      for (const method of ["POST", "PUT"] as const) {
        if (method === "POST" ? !resource.canCreate : !resource.canUpdate) continue;
        const good = method === "POST" ? await scene.exampleOf(name).body() : {};
        const may = method === "POST" ? declaration?.post : declaration?.put;
        const pattern =
          declaration === undefined
            ? /Unrecognized attribute/
            : may === true
              ? new RegExp(`Invalid input for ${attribute}`)
              : /not allowed in POST|read-only/;
        await expectRefusal(`${method} of ${attribute}`, method, { ...good, [attribute]: [[["wrong"]]] }, pattern);
      }
      if (declaration?.required !== true || !resource.canCreate) continue;
      const { [attribute]: _left, ...rest } = await scene.exampleOf(name).body();
      await expectRefusal(`no ${attribute}`, "POST", rest, new RegExp(`Required attribute '${attribute}' not specified`));
    }
    await remove(id);
    assert.deepEqual(wrong, []);
  });
}

test("every resource of the reference is served", () => {
  const names = new Set(served().map(({ resource }) => resource.name));
  assert.deepEqual(
    Object.keys(reference).filter((name) => !names.has(name)),
    [],
  );
});
