import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { ensureInotifyInstances, readSysctl } from "../../../src/linux/sysctl.ts";

test("a setting is read by its name; one that the kernel does not have is undefined", () => {
  assert.match(readSysctl("kernel/ostype") ?? "", /^Linux$/);
  assert.equal(readSysctl("net/none/such"), undefined);
  assert.throws(() => readSysctl("net/../../etc/passwd"), { code: "INVALID" });
});

test("an inotify limit that suffices is left alone, without a word", () => {
  const before = readSysctl("fs/inotify/max_user_instances");
  const log: Logger = { ...silentLogger, info: () => assert.fail("said something"), warn: () => assert.fail("said something") };

  ensureInotifyInstances(1, log);

  assert.equal(readSysctl("fs/inotify/max_user_instances"), before);
});
