// Asking a Keystone, over HTTP.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { Unauthenticated } from "../../../../src/server/identity/authenticator.ts";
import { KeystoneClient } from "../../../../src/server/identity/keystone-client.ts";
import { KeystoneIdentity } from "../../../../src/server/identity/keystone-identity.ts";
import { ApiFault } from "../../../../src/types/api-faults.ts";
import { KeystoneStandIn } from "../../../helpers/keystone.ts";

let keystone: KeystoneStandIn;
before(async () => {
  keystone = await KeystoneStandIn.start([
    { name: "netloom", password: "p", project: "service", roles: ["service"] },
    { name: "ann", password: "a", project: "blue", roles: ["Member"] },
  ]);
});
after(() => keystone.close());
beforeEach(() => {
  keystone.failure = undefined;
  keystone.logins = 0;
  keystone.questions = 0;
  keystone.mostAtOnce = 0;
  keystone.tokenLifeMs = 3_600_000;
  keystone.pause = Promise.resolve();
});

function open({ password = "p", url = keystone.url, timeoutMs = 10_000, concurrency = 4 } = {}) {
  // The times of tokens are those of the wall.
  let passedMs = 0;
  const clock = { nowMs: () => Date.now() + passedMs, monotonicMs: () => passedMs };
  const pass = (ms: number): void => {
    passedMs += ms;
  };
  const user = { username: "netloom", userDomain: "Default", project: "service", projectDomain: "Default" };
  const login = async () => ({ ...user, password });
  const client = new KeystoneClient({ url, login, timeoutMs, clock });
  const times = { cacheMs: 60_000, negativeCacheMs: 1000, concurrency };
  const identity = new KeystoneIdentity({ client, clock, publicUrl: "http://keys.example/v3", ...times });
  const ask = (token?: string) => identity.identify(token === undefined ? {} : { "x-auth-token": token });
  return { pass, ask };
}

const unavailable = (thrown: unknown): boolean => thrown instanceof ApiFault && thrown.type === "ServiceUnavailable";

test("a token is its user's; Keystone is asked once, by one login", async () => {
  const { ask } = open();
  const token = keystone.issue("ann");

  const [first, second] = await Promise.all([ask(token), ask(token), ask(keystone.issue("ann"))]);
  await ask(token);

  assert.deepEqual([first.userId, first.projectId], ["id-of-ann", keystone.projectIdOf("blue")]);
  assert.deepEqual([...first.roles], ["member", "reader"]);
  assert.equal(first, second);
  assert.deepEqual([keystone.logins, keystone.questions], [1, 2]);
});

test("no token, one that cannot be one, an unknown one and one that has ended are 401 with a hint", async () => {
  const { ask } = open();

  for (const token of [undefined, "", "with blank", "ü", "x".repeat(9000), "unknown", keystone.issue("ann", { lifeMs: -1 })]) {
    await assert.rejects(ask(token), (thrown: unknown) => {
      assert.ok(thrown instanceof Unauthenticated);
      assert.equal(thrown.challenge, 'Keystone uri="http://keys.example/v3"');
      return true;
    });
  }
  assert.equal(keystone.questions, 2);
});

test("a token of no project has none here either", async () => {
  assert.equal((await open().ask(keystone.issue("ann", { isScoped: false }))).projectId, "");
});

test("a token of the service user that was revoked, or is about to end, is replaced", async () => {
  const { pass, ask } = open();
  await ask(keystone.issue("ann"));
  keystone.revokeAll();
  assert.equal((await ask(keystone.issue("ann"))).userId, "id-of-ann");
  assert.equal(keystone.logins, 2);

  pass(3_600_000 - 60_000);
  await ask(keystone.issue("ann", { lifeMs: 7_200_000 }));
  assert.equal(keystone.logins, 3);
});

test("a Keystone that fails, is not there, or is too slow is 503, and remembered for no token", async () => {
  const { ask } = open();
  const token = keystone.issue("ann");
  await ask(keystone.issue("ann"));
  for (const status of [500, 403, 429]) {
    keystone.failure = status;
    await assert.rejects(ask(token), unavailable);
  }
  keystone.failure = undefined;
  assert.equal((await ask(token)).userId, "id-of-ann");

  await assert.rejects(open({ url: "http://127.0.0.1:1" }).ask(token), unavailable);
  const { promise, resolve } = Promise.withResolvers<void>();
  keystone.pause = promise;
  await assert.rejects(open({ timeoutMs: 50 }).ask(token), (thrown: unknown) => {
    assert.ok(unavailable(thrown) && thrown instanceof ApiFault && thrown.cause instanceof NetloomError);
    assert.match(thrown.cause.message, /does not answer: .*timeout/i);
    return true;
  });
  resolve();
});

test("a refused login of the service user is not tried again at once", async () => {
  const { pass, ask } = open({ password: "wrong" });

  for (const _ of [1, 2, 3]) await assert.rejects(ask(keystone.issue("ann")), unavailable);
  assert.equal(keystone.logins, 1);
  pass(5000);
  await assert.rejects(ask(keystone.issue("ann")), unavailable);

  assert.equal(keystone.logins, 2);
});

test("only so many tokens are asked about at once", async () => {
  const { ask } = open({ concurrency: 2 });
  const tokens = Array.from({ length: 12 }, () => keystone.issue("ann"));

  await Promise.all(tokens.map(ask));

  assert.equal(keystone.questions, 12);
  assert.ok(keystone.mostAtOnce <= 2, `${keystone.mostAtOnce} at once`);
});
