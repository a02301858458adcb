import assert from "node:assert/strict";
import { test } from "node:test";
import { aOrAn, pluralOf } from "../../../src/cli/words.ts";

test("titles have their article and their plural", () => {
  const words = ["QoS policy", "address scope", "DSCP mark", "default statefulness"];
  assert.deepEqual(words.map(aOrAn), ["a QoS policy", "an address scope", "a DSCP mark", "a default statefulness"]);
  assert.deepEqual(words.map(pluralOf), ["QoS policies", "address scopes", "DSCP marks", "default statefulness"]);
});
