import assert from "node:assert/strict";
import { test } from "node:test";
import { loadServerConfig } from "../../../src/config/server-config.ts";
import { loadUpConfig } from "../../../src/config/up-config.ts";

const refusals: readonly (readonly [readonly string[], RegExp])[] = [
  [["--auth", "token"], /^token_file .*must be given with auth token$/],
  [["--auth", "keystone"], /^keystone\.url .*auth keystone; keystone\.password_file .*auth keystone$/],
  [["--auth", "keystone", "--keystone-url", "http://k:5000"], /^keystone\.password_file .*must be given with auth keystone$/],
  [["--auth", "kerberos"], /^auth \(--auth\): must be one of none, token, keystone$/],
  [["--auth", "token", "--token-file", "tokens.json"], /^token_file .*must be an absolute path/],
  [["--keystone-url", "http://user:secret@k:5000"], /^keystone\.url .*without a user$/],
  [["--keystone-url", "k:5000"], /^keystone\.url .*must be http/],
  [["--listen", "0.0.0.0:9696"], /^listen .*full control.*--force-auth-none$/],
];

for (const [flags, message] of refusals) {
  test(`${flags.join(" ")} is refused, of a server and of up`, async () => {
    await assert.rejects(loadServerConfig(flags, {}), { code: "INVALID", message });
    await assert.rejects(loadUpConfig(flags, {}), { code: "INVALID", message });
  });
}

test("with tokens or a Keystone a server may listen anywhere", async () => {
  const listen = ["--listen", "0.0.0.0:9696"];
  const token = await loadServerConfig([...listen, "--auth", "token", "--token-file", "/t.json"], {});
  const flags = ["--auth", "keystone", "--keystone-url", "https://k/identity/v3", "--keystone-password-file", "/p"];
  const keystone = await loadServerConfig([...listen, ...flags], { NETLOOM_KEYSTONE_CACHE_SECONDS: "0" });

  assert.deepEqual([token.auth, token.tokenFile], ["token", "/t.json"]);
  const { url, username, cacheSeconds, concurrency } = keystone.keystone;
  assert.deepEqual([url, username, cacheSeconds, concurrency], ["https://k/identity/v3", "netloom", 0, 16]);
});
