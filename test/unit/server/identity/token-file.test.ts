import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silentLogger, type LogFields, type Logger } from "../../../../src/base/logger.ts";
import { Unauthenticated } from "../../../../src/server/identity/authenticator.ts";
import { TokenFileIdentity } from "../../../../src/server/identity/token-file.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

const [annsToken, bobsToken] = ["ann-0123456789abcdef", "bob-0123456789abcdef"];
const ann = { token: annsToken, user: "ann", project: "blue", roles: ["member"] };
const bob = {
  token_sha256: createHash("sha256").update(bobsToken).digest("hex"),
  user: "bob",
  project: "red",
  roles: ["admin"],
};

let directory: string;
let count = 0;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-tokens-"));
});
after(() => rm(directory, { recursive: true, force: true }));

/** As an operator would do it: whole at once. */
async function write(path: string, content: unknown, mode = 0o640): Promise<void> {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  await writeFile(`${path}.new`, text, { mode });
  await chmod(`${path}.new`, mode);
  await rename(`${path}.new`, path);
}

async function fileOf(content: unknown, mode?: number): Promise<string> {
  count += 1;
  const path = join(directory, `${count}.json`);
  await write(path, content, mode);
  return path;
}

const asking = (token: string) => ({ "x-auth-token": token });

test("a token of the file, in clear or as its hash, says user, project and roles with what they imply", async () => {
  const path = await fileOf({ tokens: [ann, bob] });
  const identity = await TokenFileIdentity.open(path, { clock: new FakeClock(), log: silentLogger });

  const [one, other] = [await identity.identify(asking(annsToken)), await identity.identify(asking(bobsToken))];

  assert.deepEqual([one.userId, one.projectId, [...one.roles]], ["ann", "blue", ["member", "reader"]]);
  assert.deepEqual([other.userId, other.roles.has("member")], ["bob", true]);
  for (const wrong of [{}, asking(""), asking(`${annsToken}x`), asking(bob.token_sha256), asking(`${annsToken} `)]) {
    await assert.rejects(identity.identify(wrong), Unauthenticated);
  }
});

test("a changed file is in force within a second; a bad one leaves the old tokens and is logged once", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const at = (level: string) => (fields: LogFields, message: string) => {
    lines.push(`${level} ${message} ${fields["err"] instanceof Error ? fields["err"].message : ""}`);
  };
  const log: Logger = { ...silentLogger, info: at("info"), error: at("error") };
  const path = await fileOf({ tokens: [ann] });
  const identity = await TokenFileIdentity.open(path, { clock, log });

  await write(path, { tokens: [bob] });
  assert.equal((await identity.identify(asking(annsToken))).userId, "ann");
  await clock.advance(1000);
  assert.equal((await identity.identify(asking(bobsToken))).userId, "bob");
  await assert.rejects(identity.identify(asking(annsToken)), Unauthenticated);

  for (const bad of [`{"tokens": [{"token": "${annsToken}"`, { tokens: [{ ...ann, roles: ["root"] }] }]) {
    await write(path, bad);
    for (const _ of [1, 2]) {
      await clock.advance(1000);
      assert.equal((await identity.identify(asking(bobsToken))).userId, "bob");
    }
  }
  await rm(path);
  await clock.advance(1000);
  assert.equal((await identity.identify(asking(bobsToken))).userId, "bob");
  await write(path, { tokens: [ann] });
  await clock.advance(1000);
  assert.equal((await identity.identify(asking(annsToken))).userId, "ann");

  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    ["info", "error", "error", "error", "info"],
  );
  assert.match(lines[2] ?? "", /tokens\[0\]\.roles\[0\] must be one of admin, manager/);
  assert.ok(!lines.join("\n").includes(annsToken));
});

const refused: readonly (readonly [string, unknown, RegExp, number?])[] = [
  ["one that others may read", { tokens: [ann] }, /chmod o= it/, 0o644],
  ["one that is no JSON", `{"tokens": ["${annsToken}" oh]}`, /it is not JSON at position \d+/],
  ["a list", [], /the file must be object/],
  ["no tokens", {}, /tokens must be array/],
  ["an unknown key", { tokens: [{ ...ann, [annsToken]: 1 }] }, /tokens\[0\] has a key that is not known/],
  ["a short token", { tokens: [{ ...ann, token: "short" }] }, /tokens\[0\]\.token must be 16 to 512 printable/],
  ["a token and a hash", { tokens: [{ ...ann, ...bob }] }, /tokens\[0\] must have either token or token_sha256/],
  ["neither", { tokens: [{ ...ann, token: undefined }] }, /tokens\[0\] must have either token or token_sha256/],
  ["a missing user", { tokens: [{ ...ann, user: undefined }] }, /tokens\[0\]\.user must be a text/],
  ["no role", { tokens: [{ ...ann, roles: [] }] }, /tokens\[0\]\.roles must name a role/],
  ["one token twice", { tokens: [bob, { ...ann, token: bobsToken }] }, /tokens\[1\] has the token of tokens\[0\]/],
];

for (const [what, content, message, mode] of refused) {
  test(`a file with ${what} is refused in one line that has no token in it`, async () => {
    const path = await fileOf(content, mode);

    await assert.rejects(TokenFileIdentity.open(path, { clock: new FakeClock(), log: silentLogger }), (thrown: Error) => {
      assert.match(thrown.message, message);
      assert.ok(thrown.message.startsWith(`cannot use token file ${path}: `));
      assert.ok(!thrown.message.includes("\n") && !thrown.message.includes(annsToken));
      return true;
    });
  });
}
